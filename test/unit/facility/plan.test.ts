import { expect } from 'chai';
import * as fc from 'fast-check';
import { isAbandoned, newBedName, ownerOf, startTimeOf } from '../../facility/bed/names.js';
import { cableLines, insideLines, planBed } from '../../facility/bed/plan.js';
import { checksum, ipBytes, ipv4, udp } from '../../facility/bed/packets.js';

describe('names of a bed', () => {
  it('say who owns it, for each of its places too', () => {
    const bed = newBedName();
    const owner = { bed, pid: process.pid, started: startTimeOf(process.pid) };
    expect(ownerOf(bed)).to.deep.equal(owner);
    expect(ownerOf(`${bed}-office-alder`)).to.deep.equal(owner);
  });

  it('differ from bed to bed', () => {
    expect(new Set(Array.from({ length: 100 }, () => newBedName())).size).to.equal(100);
  });

  it('are told from all other names', () => {
    for (const name of ['node-1', 'bed', 'bed-1-2', 'bed-x-2-abcdef', 'my-bed-1-2-abcdef', 'bed-1-2-abcdefg'])
      expect(ownerOf(name), name).to.equal(undefined);
  });

  it('are abandoned when their process is gone, or its number is another’s now', () => {
    const owner = ownerOf(newBedName());
    if (owner === undefined) throw new Error('a bed has an owner');
    expect(isAbandoned(owner)).to.equal(false);
    expect(isAbandoned({ ...owner, started: '1' })).to.equal(true);
    expect(isAbandoned({ ...owner, pid: 2 ** 22 + 1 })).to.equal(true);
  });
});

describe('the plan of a bed', () => {
  const plan = { nodes: ['node-1', 'node-2'], offices: ['alder', 'birch'] };

  it('gives every place addresses of its own', () => {
    const places = planBed('bed-1-1-abcdef', plan);
    for (const part of ['name', 'namespace', 'mac', 'ipv4', 'ipv6', 'linkLocal'] as const)
      expect(new Set(places.map((place) => place[part])).size, part).to.equal(places.length);
  });

  it('puts offices behind the router, and all others on the bridge', () => {
    const places = planBed('b', plan);
    const behind = places.filter(({ far }) => far.namespace === 'b-router').map(({ name }) => name);
    expect(behind).to.deep.equal(['office-alder', 'office-birch']);
    expect(places.filter(({ far }) => far.namespace === 'b-facility')).to.have.length(4);
  });

  it('gives nodes without addresses nothing but a cable', () => {
    const places = planBed('b', { ...plan, addressed: false });
    const lines = insideLines('b', places);
    expect(lines.get('b-node-1')).to.deep.equal(['link set lo up', 'link set eth0 up']);
    expect(lines.get('b-console')?.join()).to.include('10.77.0.2');
  });

  it('makes every namespace before the cables that end in it', () => {
    const lines = cableLines('b', planBed('b', plan));
    const made = new Set<string>();
    for (const line of lines) {
      const [, added] = /^netns add (\S+)/.exec(line) ?? [];
      if (added !== undefined) made.add(added);
      for (const [, used = ''] of line.matchAll(/ netns (b-\S+)/g))
        expect(made.has(used), line).to.equal(true);
    }
    expect(made.size).to.equal(7);
  });

  it('refuses names that are twice there or that no interface could carry', () => {
    expect(() => planBed('b', { nodes: ['console'] })).to.throw('two places');
    expect(() => planBed('b', { nodes: ['Node 1'] })).to.throw('not a place');
    expect(() => planBed('b', { nodes: Array.from({ length: 300 }, (_, n) => `n${n}`) })).to.throw('at most');
  });
});

describe('packets made by hand', () => {
  it('have checksums that come out right when they are summed again', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const address = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(address, address, fc.uint8Array({ maxLength: 64 }), (from, to, data) => {
        const header = { from, to, protocol: 17 };
        const packet = ipv4(header, udp(header, { from: 1, to: 2 }, data));
        expect(checksum(packet.subarray(0, 20))).to.equal(0);
      }),
    );
  });

  it('hold IPv6 addresses in every spelling', () => {
    expect(ipBytes('fd77::b').toString('hex')).to.equal('fd77000000000000000000000000000b');
    expect(ipBytes('::').toString('hex')).to.equal('0'.repeat(32));
    expect(ipBytes('1:2:3:4:5:6:7:8').toString('hex')).to.equal('00010002000300040005000600070008');
  });
});
