import { expect } from 'chai';
import * as fc from 'fast-check';
import { isHostWithin, maskLength, maskText } from '../../../../protocol/ethernet/address.js';
import { formatFrame, parseFrame, type Frame } from '../../../../protocol/ethernet/frame.js';

const udp: Frame = {
  kind: 'udp',
  from: '02:00:00:00:00:01',
  to: 'ff:ff:ff:ff:ff:ff',
  source: '0.0.0.0',
  destination: '255.255.255.255',
  sourcePort: 68,
  destinationPort: 67,
  payload: Buffer.from('odd'),
};
const arp: Frame = {
  kind: 'arp',
  from: '02:00:00:00:00:01',
  to: 'ff:ff:ff:ff:ff:ff',
  operation: 'request',
  senderMac: '02:00:00:00:00:01',
  senderIp: '0.0.0.0',
  targetMac: '00:00:00:00:00:00',
  targetIp: '10.0.0.9',
};

describe('frames', () => {
  it('come back from the wire as they were written', () => {
    for (const frame of [udp, arp])
      expect(parseFrame(formatFrame(frame))).to.deep.equal({ ok: true, value: frame });
  });

  it('are refused when any byte of the IPv4 or UDP part is another', () => {
    const whole = formatFrame(udp);
    fc.assert(
      fc.property(
        fc.integer({ min: 14, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          // The checksum of UDP has two forms without a check.
          fc.pre(at < 40 || at > 41);
          const bytes = Uint8Array.from(whole);
          bytes[at] = (bytes[at] ?? 0) ^ flip;
          expect(parseFrame(bytes).ok).to.equal(false);
        },
      ),
    );
  });

  it('are taken with the checksum that the kernel leaves to the hardware', () => {
    const bytes = Uint8Array.from(formatFrame(udp));
    // 0.0.0.0, 255.255.255.255, protocol 17, length 11: the sum of the pseudo-header alone.
    bytes.set([0x00, 17 + 11], 40);
    expect(parseFrame(bytes).ok).to.equal(true);
  });

  it('never make the parser throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void parseFrame(bytes)));
  });
});

describe('IPv4 addresses', () => {
  it('have masks of ones before zeros', () => {
    for (let length = 0; length <= 32; length++) expect(maskLength(maskText(length))).to.equal(length);
    expect(maskLength('255.0.255.0')).to.equal(undefined);
  });

  it('are a host only where they are not the network, the broadcast or a group', () => {
    expect(isHostWithin('10.0.0.1', 24)).to.equal(true);
    for (const address of ['10.0.0.0', '10.0.0.255', '224.0.0.1', '0.0.0.1', '127.0.0.1', '169.254.1.1'])
      expect(isHostWithin(address, 24), address).to.equal(false);
  });
});
