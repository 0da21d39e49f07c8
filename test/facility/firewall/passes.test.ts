import { expect } from 'chai';
import type { Filter } from '../../../bmonitor/filters/model.js';
import { Bed, type Place } from '../bed/index.js';
import { Enforced, allowing, level } from './enforced.js';

describe('what the kernel lets pass', () => {
  let bed: Bed;
  let node: Place;
  let peer: Place;
  let other: Place;
  let enforced: Enforced;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'peer', 'other'] });
    node = bed.place('node');
    peer = bed.place('peer');
    other = bed.place('other');
    enforced = await Enforced.at(node);
    for (const port of [80, 81]) {
      for (const family of [4, 6] as const) {
        await node.listenUdp({ port, family, answer: true });
        await peer.listenUdp({ port, family, answer: true });
        await node.listenTcp({ port, family });
        await peer.listenTcp({ port, family });
      }
    }
  });
  after(async () => {
    await enforced.close();
    await bed.remove();
  });

  for (const family of [4, 6] as const) {
    const address = (place: Place): string => (family === 4 ? place.ipv4 : place.ipv6);

    describe(`IPv${family}`, () => {
      it('passes nothing without filters', async () => {
        await enforced.enforce({ levels: [] });
        expect(await peer.ping(address(node))).to.equal('silent');
        expect(await node.ping(address(peer))).to.not.equal('answered');
        expect(await peer.tryTcp({ to: address(node), port: 80 })).to.equal('silent');
        expect(await peer.tryUdp({ to: address(node), port: 80 })).to.equal('silent');
      });

      it('passes what an allow names, with its replies, and nothing else', async () => {
        await enforced.allow({
          action: 'allow',
          direction: 'in',
          peers: [address(peer)],
          protocol: 'tcp',
          ports: [80],
        });
        const tries = await Promise.all([
          peer.tryTcp({ to: address(node), port: 80 }),
          peer.tryTcp({ to: address(node), port: 81 }),
          other.tryTcp({ to: address(node), port: 80 }),
          peer.tryUdp({ to: address(node), port: 80 }),
          node.tryTcp({ to: address(peer), port: 80 }),
        ]);
        expect(tries.map((it) => it === 'answered')).to.deep.equal([true, false, false, false, false]);
      });

      it('passes what the node starts where an allow says out', async () => {
        await enforced.allow({ action: 'allow', direction: 'out', protocol: 'udp', ports: ['80-90'] });
        expect(await node.tryUdp({ to: address(peer), port: 80 })).to.equal('answered');
        expect(await peer.tryUdp({ to: address(node), port: 80 })).to.equal('silent');
      });

      it('passes ICMP where an allow names it', async () => {
        await enforced.allow({ action: 'allow', direction: 'in', peers: [address(peer)], protocol: 'icmp' });
        expect(await peer.ping(address(node))).to.equal('answered');
        expect(await peer.ping(address(node), { size: 4000 })).to.equal('answered');
        expect(await other.ping(address(node))).to.equal('silent');
        expect(await node.ping(address(peer))).to.not.equal('answered');
      });

      it('refuses what any level denies', async () => {
        const any: Filter = { action: 'allow' };
        await enforced.enforce({
          levels: [
            allowing(any),
            level({
              otherwise: 'inherit',
              filters: [{ action: 'deny', direction: 'in', peers: [address(other)] }],
            }),
            level({
              filters: [any, { action: 'deny', protocol: 'tcp', ports: [81] }],
              onRefuse: 'reject',
            }),
          ],
        });
        expect(await peer.tryTcp({ to: address(node), port: 80 })).to.equal('answered');
        expect(await peer.tryUdp({ to: address(node), port: 81 })).to.equal('answered');
        expect(await other.tryUdp({ to: address(node), port: 80 })).to.equal('silent');
        expect(await node.ping(address(other))).to.equal('answered');
        expect(await peer.tryTcp({ to: address(node), port: 81 })).to.equal('refused');
        expect(await node.tryTcp({ to: address(peer), port: 81 })).to.not.equal('answered');
      });

      it('answers what is refused where the refusing level says so', async () => {
        await enforced.enforce({ levels: [level({ filters: [], onRefuse: 'reject' })] });
        expect(await peer.tryTcp({ to: address(node), port: 80 })).to.equal('refused');
        expect(await peer.tryUdp({ to: address(node), port: 80 })).to.be.oneOf(['refused', 'unreachable']);
      });

      it('lets a one-way allow pass no replies', async () => {
        const heard = await node.listenUdp({ port: 90, family, answer: true });
        await enforced.allow({ action: 'allow', direction: 'in', protocol: 'udp', oneway: true });
        expect(await peer.tryUdp({ to: address(node), port: 90 }, 'one way')).to.equal('silent');
        await heard.arrival('one way');
        await enforced.allow(
          { action: 'allow', direction: 'in', protocol: 'udp', oneway: true },
          { action: 'allow', direction: 'out', protocol: 'udp', oneway: true },
        );
        expect(await peer.tryUdp({ to: address(node), port: 90 }, 'two one-ways')).to.equal('silent');
        await heard.arrival('two one-ways');
        await heard.close();
      });
    });
  }
});
