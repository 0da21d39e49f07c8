import { expect } from 'chai';
import { addressText, keysOf } from '../../../../../bmonitor/filters/nft/elements.js';
import { readRange } from '../../../../../bmonitor/filters/address.js';
import type { Box } from '../../../../../bmonitor/filters/boxes.js';
import type { Family } from '../../../../../bmonitor/filters/model.js';
import { anyService, protocolServices, servicePoint } from '../../../../../bmonitor/filters/protocols.js';

function box(peer: string, services: Box['services'], direction: Box['direction'] = 'in'): Box {
  const reading = readRange(peer);
  if (reading.kind !== 'range') throw new Error(peer);
  return { ...reading.range, direction, services, verdict: 'allow', filter: 0 };
}
const point = (protocol: number, port: number): Box['services'] => {
  const at = servicePoint(protocol, port);
  return { lo: at, hi: at };
};

describe('boxes as keys of the kernel', () => {
  it('gives one peer and one port an exact key', () => {
    expect(keysOf(box('10.0.0.1', point(6, 80)))).to.deep.equal([
      { kind: 'exact', key: '10.0.0.1 . 6 . 80' },
    ]);
  });

  it('gives a prefix a key of ranges', () => {
    expect(keysOf(box('10.0.0.0/24', point(17, 53)))).to.deep.equal([
      { kind: 'ranges', key: '10.0.0.0/24 . 17 . 53' },
    ]);
  });

  it('looks for protocols without ports by number only', () => {
    expect(keysOf(box('10.0.0.1', protocolServices(1)))).to.deep.equal([
      { kind: 'whole', key: '10.0.0.1 . 1' },
    ]);
  });

  it('gives any service both', () => {
    expect(keysOf(box('10.0.0.1', anyService)).map(({ kind }) => kind)).to.deep.equal(['ranges', 'whole']);
  });

  it('gives what comes in to a group a key by the group, cut to the groups', () => {
    const keys = keysOf(box('223.0.0.0-224.0.0.9', point(17, 5353)));
    expect(keys).to.deep.include({ kind: 'groups', key: '224.0.0.0-224.0.0.9 . 17 . 5353' });
    expect(keysOf(box('224.0.0.251', point(17, 5353), 'out')).map(({ kind }) => kind)).to.deep.equal([
      'exact',
    ]);
  });

  it('writes addresses as nft lists them', () => {
    const text = (family: Family, lo: bigint, hi: bigint): string => addressText({ family, lo, hi });
    expect(text(6, 1n, 1n)).to.equal('::1');
    expect(text(6, 0x1_0000n, 0x1_0000n)).to.equal('::0.1.0.0');
    expect(text(6, 0n, 0xffff_ffffn)).to.equal('::/96');
    expect(text(4, 1n, 2n)).to.equal('0.0.0.1-0.0.0.2');
    expect(text(4, 0n, (1n << 32n) - 1n)).to.equal('0.0.0.0/0');
  });
});
