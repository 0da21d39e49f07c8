import { expect } from 'chai';
import type { Filter } from '../../../bmonitor/filters/model.js';
import { Bed, until, type Place, type TcpConnection } from '../bed/index.js';
import { Enforced } from './enforced.js';

/** Long enough for packets that need microseconds; the counters of refused packets prove that they were sent. */
async function refusedRises(enforced: Enforced, by: () => Promise<unknown>): Promise<void> {
  const count = async (): Promise<number> => {
    const counters = await enforced.firewall.counters();
    if (!counters.ok) throw new Error(counters.refusal.detail);
    return [...counters.value.named.values()].reduce((sum, { packets }) => sum + packets, 0);
  };
  const before = await count();
  await by();
  await until(async () => (await count()) > before, { what: 'a refused packet' });
}

describe('tightening cuts what is open', () => {
  let bed: Bed;
  let node: Place;
  let cut: Place;
  let kept: Place;
  let enforced: Enforced;

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'cut', 'kept'] });
    [node, cut, kept] = [bed.place('node'), bed.place('cut'), bed.place('kept')];
    enforced = await Enforced.at(node);
  });
  afterEach(async () => {
    await enforced.close();
    await bed.remove();
  });

  const from = (place: Place, more: Partial<Filter> = {}): Filter => ({
    action: 'allow',
    direction: 'in',
    peers: [place.ipv4, place.ipv6],
    ...more,
  });
  /** The node may start anything: a cut flow must not come back to life as one of the node's own. */
  const out: Filter = { action: 'allow', direction: 'out' };

  for (const family of [4, 6] as const) {
    const at = (place: Place): string => (family === 4 ? place.ipv4 : place.ipv6);

    for (const who of ['the peer', 'the node'] as const) {
      it(`cuts open TCP over IPv${family} when ${who} pushes, and leaves other connections alone`, async () => {
        await enforced.allow(from(cut), from(kept), out);
        const server = await node.listenTcp({ port: 80, family });
        const open = async (place: Place): Promise<[TcpConnection, TcpConnection]> => {
          const client = await place.openTcp({ to: at(node), port: 80 });
          const accepted = await until(() => server.connections.find((it) => it.port === client.port));
          await client.send('hello');
          await accepted.receives('hello');
          await accepted.send('welcome');
          await client.receives('welcome');
          return [client, accepted];
        };
        const [cutClient, cutServer] = await open(cut);
        const [keptClient, keptServer] = await open(kept);
        await enforced.allow(from(kept), out);
        await refusedRises(enforced, async () => {
          if (who === 'the node') await cutServer.send('after');
          else await cutClient.send('after');
        });
        await keptClient.send('still');
        await keptServer.receives('still');
        await keptServer.send('here');
        await keptClient.receives('here');
        expect(cutServer.received.includes('after')).to.equal(false);
        expect(cutClient.received.includes('after')).to.equal(false);
      });
    }

    it(`cuts UDP and ICMP flows over IPv${family}, whichever side sends`, async () => {
      await enforced.allow(from(cut), from(kept), out);
      const server = await node.listenUdp({ port: 80, family });
      const client = await cut.listenUdp({ port: 4000, family });
      await client.send(at(node), 80, 'hello');
      await server.arrival('hello');
      await server.send(at(cut), 4000, 'welcome');
      await client.arrival('welcome');
      expect(await cut.ping(at(node))).to.equal('answered');
      await enforced.allow(from(kept), out);
      await refusedRises(enforced, () => client.send(at(node), 80, 'after'));
      await refusedRises(enforced, () => server.send(at(cut), 4000, 'push').catch(() => {}));
      expect(await cut.ping(at(node))).to.equal('silent');
      expect(server.arrivals.map((it) => it.data.toString())).to.deep.equal(['hello']);
      expect(client.arrivals.map((it) => it.data.toString())).to.deep.equal(['welcome']);
    });
  }

  it('cuts everything in quarantine, and lets it go on when the quarantine is lifted', async () => {
    const server = await node.listenTcp({ port: 443 });
    await enforced.allow(from(cut), from(kept));
    const client = await cut.openTcp({ to: node.ipv4, port: 443 });
    const accepted = await server.connection();
    await client.send('hello');
    await accepted.receives('hello');
    await enforced.enforce({ quarantine: true });
    await refusedRises(enforced, () => client.send('in quarantine'));
    expect(await kept.ping(node.ipv4)).to.equal('silent');
    await enforced.enforce({ quarantine: false });
    await accepted.receives('in quarantine');
  });
});
