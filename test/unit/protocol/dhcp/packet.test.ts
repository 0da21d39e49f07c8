import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeDhcp, encodeDhcp, type DhcpPacket } from '../../../../protocol/dhcp/index.js';
import { codec } from '../../../../protocol/dhcp/package.js';

const offer: DhcpPacket = {
  type: 'offer',
  xid: 0xdeadbeef,
  secs: 3,
  broadcast: true,
  ciaddr: '0.0.0.0',
  yiaddr: '10.1.2.3',
  siaddr: '10.1.2.1',
  giaddr: '0.0.0.0',
  mac: '02:00:00:00:00:01',
  options: {
    subnetMask: '255.255.255.0',
    routers: ['10.1.2.1', '10.1.2.2'],
    dns: ['10.1.2.1'],
    hostname: 'node-1',
    domain: 'facility.example',
    mtu: 1500,
    lease_s: 3600,
    server: '10.1.2.1',
    renewal_s: 1800,
    rebinding_s: 3150,
    classlessRoutes: [
      { network: '10.9.0.0', length: 16, router: '10.1.2.1' },
      { network: '0.0.0.0', length: 0, router: '10.1.2.2' },
    ],
    gateway: '10.1.2.1:7443#pin',
  },
};

const discover: DhcpPacket = {
  ...offer,
  type: 'discover',
  yiaddr: '0.0.0.0',
  siaddr: '0.0.0.0',
  broadcast: false,
  options: { clientId: [1, 2, 0, 0, 0, 200, 255], parameters: [1, 3, 6, 51, 121], vendorClass: 'bmonitor' },
};

/** A discover whose options are these bytes. */
function withOptions(...options: readonly number[]): Uint8Array {
  return Buffer.concat([encodeDhcp(discover).subarray(0, 240), Uint8Array.from(options)]);
}

function options(...bytes: readonly number[]): DhcpPacket['options'] {
  const decoded = decodeDhcp(withOptions(...bytes));
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.refusal));
  return decoded.value.options;
}

function refusal(bytes: Uint8Array): unknown {
  const decoded = decodeDhcp(bytes);
  return decoded.ok ? decoded.value : { code: decoded.refusal.code, where: decoded.refusal.where };
}

describe('DHCP packets', () => {
  it('come back from the wire as they were written', () => {
    for (const packet of [offer, discover])
      expect(decodeDhcp(encodeDhcp(packet))).to.deep.equal({ ok: true, value: packet });
  });

  it('keep a client identifier to the byte, which the package alone cuts at its first zero', () => {
    const bytes = [53, 1, 1, 61, 5, 0, 200, 1, 0, 7, 255];
    expect(options(...bytes).clientId).to.deep.equal([0, 200, 1, 0, 7]);
  });

  it('are never shorter than what BOOTP relays take', () => {
    expect(encodeDhcp(discover)).to.have.length(300);
  });

  it('may hold padding anywhere, which the package alone misreads', () => {
    const bytes = [0, 53, 1, 1, 0, 12, 1, 0x61, 0, 0, 0, 255];
    expect(codec.parse(Buffer.from(withOptions(...bytes))).options).to.not.have.property('53', 1);
    expect(options(...bytes)).to.deep.equal({ hostname: 'a' });
  });

  it('may spread an option over several pieces and into the name fields', () => {
    const packet = withOptions(52, 1, 3, 12, 2, 0x61, 0x62, 53, 1, 1, 255);
    packet.set([12, 1, 0x63, 255], 108);
    packet.set([12, 1, 0x64, 255], 44);
    const decoded = decodeDhcp(packet);
    expect(decoded.ok && decoded.value.options.hostname).to.equal('abcd');
  });

  it('lose options that nobody here understands, without a word on the console', () => {
    const said: unknown[] = [];
    const original = console.error;
    console.error = (...words: unknown[]) => void said.push(words);
    try {
      expect(options(53, 1, 1, 177, 3, 1, 2, 3, 255)).to.deep.equal({});
    } finally {
      console.error = original;
    }
    expect(said).to.deep.equal([]);
  });

  it('lose texts that are not printable, and keep the rest', () => {
    expect(options(53, 1, 1, 12, 2, 0x0a, 0x41, 15, 2, 0x41, 0, 60, 1, 0x8a, 255)).to.deep.equal({
      domain: 'A',
    });
  });

  it('are refused where they break the rules of the format', () => {
    const whole = encodeDhcp(discover);
    const altered = (at: number, byte: number): Uint8Array => {
      const bytes = Uint8Array.from(whole);
      bytes[at] = byte;
      return bytes;
    };
    const code = 'dhcp-malformed';
    expect(refusal(whole.subarray(0, 239))).to.deep.equal({ code, where: undefined });
    expect(refusal(new Uint8Array(2000))).to.deep.equal({ code, where: undefined });
    expect(refusal(altered(0, 3))).to.deep.equal({ code, where: 'op' });
    expect(refusal(altered(0, 2))).to.deep.equal({ code, where: 'op' });
    expect(refusal(altered(2, 16))).to.deep.equal({ code, where: 'htype' });
    expect(refusal(altered(28, 1))).to.deep.equal({ code, where: 'chaddr' });
    expect(refusal(altered(236, 0))).to.deep.equal({ code, where: 'magic' });
    expect(refusal(withOptions(53, 1, 1))).to.deep.equal({ code, where: 'options' });
    expect(refusal(withOptions(53, 1, 1, 12, 9, 1))).to.deep.equal({ code, where: 'option 12' });
    expect(refusal(withOptions(53, 1, 1, 51, 1, 9, 255))).to.deep.equal({ code, where: 'option 51' });
    expect(refusal(withOptions(53, 1, 1, 52, 1, 4, 255))).to.deep.equal({ code, where: 'option 52' });
    expect(refusal(withOptions(53, 1, 1, 121, 2, 33, 1, 255))).to.deep.equal({ code, where: 'option 121' });
    expect(refusal(withOptions(53, 1, 9, 255))).to.deep.equal({ code, where: 'option 53' });
    expect(refusal(withOptions(255))).to.deep.equal({ code, where: 'option 53' });
  });

  it('never throw, whatever comes', () => {
    const head = encodeDhcp(discover).subarray(0, 240);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (tail) => {
        decodeDhcp(tail);
        decodeDhcp(Buffer.concat([head, tail]));
        decodeDhcp(Buffer.concat([head, Uint8Array.of(53, 1, 1), tail, Uint8Array.of(255)]));
      }),
    );
  });

  it('never throw when one byte of a good one is another', () => {
    const whole = encodeDhcp(offer);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = byte;
        const decoded = decodeDhcp(bytes);
        if (decoded.ok) encodeDhcp(decoded.value);
      }),
    );
  });
});
