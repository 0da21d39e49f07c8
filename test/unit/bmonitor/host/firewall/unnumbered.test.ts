import { expect } from 'chai';
import { keptWithMark, mark } from '../../../../../bmonitor/ports/firewall-text.js';
import { unnumbered } from '../../../../../bmonitor/host/firewall/unnumbered.js';

const listing = (slot: number, epoch: number): string =>
  `map l0_in4_exact_s${slot} {\n}\nchain known {\n ct mark & 0xffffff00 == ${mark('full', epoch)} accept\n ip saddr vmap @l0_in4_exact_s${slot}\n}`;
const standing = (
  slot: number,
  epoch: number,
): { readonly slots: ReadonlyMap<string, string>; readonly epoch: number } => ({
  slots: new Map([['inet bmonitor/l0_in4_exact', `l0_in4_exact_s${slot}`]]),
  epoch,
});

describe('a listing without the numbers that changes count on', () => {
  it('is the same text for one program, whichever slots and epoch it stands on', () => {
    expect(unnumbered(listing(3, 7), standing(3, 7))).to.equal(unnumbered(listing(12, 9), standing(12, 9)));
  });

  it('is the same text where nft lists the mark of the epoch among the bits that a rule keeps', () => {
    const stamp = (epoch: number): string =>
      `ct mark set ct mark & ${keptWithMark('full', epoch)} | ${mark('full', epoch)}`;
    expect(unnumbered(stamp(7), standing(3, 7))).to.equal(unnumbered(stamp(9), standing(12, 9)));
  });

  it('differs where a rule looks into a map that is not in use, or accepts a mark of another epoch', () => {
    const wanted = unnumbered(listing(3, 7), standing(3, 7));
    expect(
      unnumbered(listing(3, 7).replace('@l0_in4_exact_s3', '@l0_in4_exact_s2'), standing(3, 7)),
    ).to.not.equal(wanted);
    expect(unnumbered(listing(3, 6), standing(3, 7))).to.not.equal(wanted);
  });
});
