import { expect } from 'chai';
import { Bed, distPath, sourcePath, until, type BedProcess, type Place } from '../bed/index.js';
import { numbers, planOf, type Always } from './changes.js';
import type { FirewallEvent } from '../../../bmonitor/ports/firewall.js';
import { servicePoint, udp } from '../../../bmonitor/filters/protocols.js';
import { PacketCounts } from './counted.js';
import { Enforced, peer, valueOf } from './enforced.js';

/** Small enough for a machine that is shared; `BMONITOR_CHANGES` asks for more. */
const changes = Number(process.env['BMONITOR_CHANGES'] ?? 150);
const flushes = Math.ceil(changes / 10);

const udpPort = (port: number): { lo: number; hi: number } => {
  const point = servicePoint(udp, port);
  return { lo: point, hi: point };
};

describe('no moment open while filters change', () => {
  let bed: Bed;
  let node: Place;
  let friend: Place;
  let stranger: Place;
  let always: Always;

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'stranger', 'friend'] });
    node = bed.place('node');
    friend = bed.place('friend');
    stranger = bed.place('stranger');
    always = { allowed: friend.ipv4, refused: stranger.ipv4, own: node.ipv4 };
    // Neighbours know each other before any flood, as on any network in use.
    await Promise.all([friend.ping(node.ipv4), stranger.ping(node.ipv4)]);
  });
  afterEach(async () => bed.remove());

  const spray = async (from: Place, port: number, rate: number): Promise<BedProcess> => {
    const words = [from.nic, from.mac, from.ipv4, node.mac, node.ipv4, String(port), String(rate)];
    const script = sourcePath('test/facility/firewall/spray.py');
    const process = from.spawn(['/usr/bin/python3', '-S', '-E', script, ...words]);
    await process.says(/ready/);
    return process;
  };
  const sentBy = async (process: BedProcess): Promise<number> => {
    process.write('stop\n');
    return Number((await process.says(/sent (\d+)/))[1]);
  };

  it('passes nothing that all refuse and loses nothing that all allow, change after change', async function () {
    // On a machine that is overloaded, a few packets of new flows were once lost in a change, and the cause is not found: that may be tried
    // again. What came through is never forgiven.
    this.retries(2);
    const seed = Number(process.env['BMONITOR_SEED'] ?? Date.now() % 1e6);
    const random = numbers(seed);
    const enforced = await Enforced.at(node);
    try {
      await enforced.enforce(planOf(always, random));
      const counts = await PacketCounts.at(node, [80, 81, 82]);
      const forbidden = await node.listenUdp({ port: 82, tally: true });
      // Nobody has to take them: what counts is what the filters let through.
      await node.listenUdp({ port: 80, tally: true });
      const known = await node.listenUdp({ port: 81, tally: true });
      const sprays = [await spray(stranger, 82, 8000), await spray(friend, 80, 3000)];
      const flow = await friend.flood({ to: node.ipv4, port: 81, rate: 3000 });
      for (let change = 0; change < changes; change++) await enforced.enforce(planOf(always, random));
      const [attacks = 0, begun = 0] = await Promise.all(sprays.map(sentBy));
      const { sent } = await flow.stop();
      expect(attacks, 'attacks').to.be.greaterThan(1000);
      await until(async () => (await known.tally()) >= sent, { bound_ms: 3000 }).catch(() => {});
      const [fresh, flowed, refused] = [await counts.of(80), await counts.of(81), await counts.of(82)];
      const got = {
        forbidden: (await forbidden.tally()) + refused.passed,
        fresh: fresh.passed,
        known: flowed.passed,
      };
      if (got.forbidden > 0) this.retries(0);
      const told = await node.must([
        'sh',
        '-c',
        'nft list counters; grep -h -E "Ip:|Udp:" /proc/net/snmp; conntrack -S; cat /proc/net/softnet_stat',
      ]);
      const stations = `fresh: ${fresh.stations}; known: ${flowed.stations}`;
      expect(
        got,
        `seed ${seed}, ${attacks} attacks, ${begun} begun, ${sent} sent, ${stations}, ${told}`,
      ).to.deep.equal({
        forbidden: 0,
        fresh: fresh.came,
        known: flowed.came,
      });
      expect(fresh.came).to.be.greaterThan(begun / 2);
      expect(flowed.came).to.be.greaterThan(sent / 2);
    } finally {
      await enforced.close();
    }
  });

  it('loses nothing of a console, and passes nothing else, while quarantine goes on and off', async () => {
    const enforced = await Enforced.at(node);
    try {
      const consoles = [{ direction: 'in', peer: peer(friend.ipv4), services: udpPort(80) } as const];
      await enforced.enforce({ ...planOf(always, numbers(3)), consoles, quarantine: true });
      const forbidden = await node.listenUdp({ port: 82, tally: true });
      const fromConsole = await node.listenUdp({ port: 80, tally: true });
      const other = await node.listenUdp({ port: 81, tally: true });
      const counts = await PacketCounts.at(node, [80, 82]);
      const attack = await spray(stranger, 82, 8000);
      const dialling = await spray(friend, 80, 2000);
      const random = numbers(4);
      for (let change = 0; change < changes / 5; change++) {
        await enforced.enforce({ ...planOf(always, random), consoles, quarantine: false });
        await friend.sendUdp({ to: node.ipv4, port: 81 }, 'while it is off');
        await enforced.enforce({ quarantine: true });
        const before = await other.tally();
        await friend.sendUdp({ to: node.ipv4, port: 81 }, 'while it is on', 10);
        expect(await other.tally(), 'of an open flow, in quarantine').to.equal(before);
      }
      expect(await other.tally(), 'while it was off').to.be.greaterThan(0);
      expect(await sentBy(attack), 'attacks').to.be.greaterThan(1000);
      const dialled = await sentBy(dialling);
      await until(async () => (await fromConsole.tally()) >= dialled, { bound_ms: 3000 }).catch(() => {});
      const [ofConsole, refused] = [await counts.of(80), await counts.of(82)];
      expect({
        forbidden: (await forbidden.tally()) + refused.passed,
        console: ofConsole.passed,
      }).to.deep.equal({ forbidden: 0, console: ofConsole.came });
      expect(ofConsole.came).to.be.greaterThan(dialled / 2);
    } finally {
      await enforced.close();
    }
  });

  it('passes nothing that is refused while another program flushes all rules, again and again', async function () {
    this.timeout(300_000 + flushes * 2000);
    const enforced = await Enforced.at(node);
    try {
      const events: FirewallEvent[] = [];
      void (async () => {
        for await (const event of enforced.firewall.events()) events.push(event);
      })();
      await enforced.enforce(planOf(always, numbers(7)));
      const forbidden = await node.listenUdp({ port: 82, tally: true });
      const known = await node.listenUdp({ port: 81, tally: true });
      const attack = await spray(stranger, 82, 8000);
      const flow = await friend.flood({ to: node.ipv4, port: 81, rate: 2000 });
      for (let flush = 0; flush < flushes; flush++) {
        await until(async () => /inet bmonitor$/mu.test(await node.must(['nft', 'list', 'tables'])));
        await node.must(['nft', 'flush', 'ruleset']);
      }
      await until(() => events.filter(({ kind }) => kind === 'altered').length > 0);
      await until(async () => valueOf(await enforced.firewall.readBack()).differed.length === 0);
      const { sent } = await flow.stop();
      expect(await sentBy(attack), 'attacks').to.be.greaterThan(1000);
      await until(async () => (await known.tally()) >= sent, { bound_ms: 3000 }).catch(() => {});
      expect({ forbidden: await forbidden.tally(), known: await known.tally() }).to.deep.equal({
        forbidden: 0,
        known: sent,
      });
    } finally {
      await enforced.close();
    }
  });

  it('passes nothing that all refuse while what applies them is killed and started again, at any moment', async () => {
    const forbidden = await node.listenUdp({ port: 82, tally: true });
    const known = await node.listenUdp({ port: 81, tally: true });
    const child = async (seed: number): Promise<BedProcess> => {
      const words = [node.namespace, friend.ipv4, stranger.ipv4, node.ipv4, String(seed)];
      const process = node.spawn(['node', distPath('test/facility/firewall/changer.js'), ...words]);
      await process.says(/applied/, 30_000);
      return process;
    };
    const random = numbers(Date.now());
    let running = await child(random(1e6));
    const attack = await spray(stranger, 82, 5000);
    const flow = await friend.flood({ to: node.ipv4, port: 81, rate: 2000 });
    for (let times = 0; times < 5; times++) {
      const seen = running.log.length;
      const more = random(2000);
      await until(() => running.log.length > seen + more / 50, { what: 'more changes' });
      await running.kill();
      running = await child(random(1e6));
    }
    const { sent } = await flow.stop();
    expect(await sentBy(attack)).to.be.greaterThan(1000);
    await until(async () => (await known.tally()) >= sent, { bound_ms: 3000 }).catch(() => {});
    expect({ forbidden: await forbidden.tally(), known: await known.tally() }).to.deep.equal({
      forbidden: 0,
      known: sent,
    });
    await running.kill();
  });

  it('stays closed to all but open flows when rules are flushed while nothing runs that could repair them', async () => {
    const forbidden = await node.listenUdp({ port: 82, tally: true });
    const fresh = await node.listenUdp({ port: 80, tally: true });
    const known = await node.listenUdp({ port: 81, tally: true });
    const words = [node.namespace, friend.ipv4, stranger.ipv4, node.ipv4, '5'];
    const start = async (): Promise<BedProcess> => {
      const process = node.spawn(['node', distPath('test/facility/firewall/changer.js'), ...words]);
      await process.says(/applied/, 30_000);
      return process;
    };
    const first = await start();
    const attack = await spray(stranger, 82, 5000);
    const flow = await friend.flood({ to: node.ipv4, port: 81, rate: 2000 });
    await until(async () => (await known.tally()) > 100);
    await first.kill();
    await node.must(['nft', 'flush', 'ruleset']);
    const refused = await spray(friend, 80, 1000);
    const before = await known.tally();
    await until(async () => (await known.tally()) > before + 500);
    await node.must(['nft', 'flush', 'ruleset']);
    expect(await sentBy(refused)).to.be.greaterThan(100);
    expect(await fresh.tally(), 'a new flow that nobody judged').to.equal(0);
    const again = await start();
    expect(await sentBy(attack)).to.be.greaterThan(1000);
    const { sent } = await flow.stop();
    await until(async () => (await known.tally()) >= sent, { bound_ms: 3000 }).catch(() => {});
    expect({ forbidden: await forbidden.tally(), known: await known.tally() }).to.deep.equal({
      forbidden: 0,
      known: sent,
    });
    await friend.sendUdp({ to: node.ipv4, port: 80 }, 'judged again');
    await until(async () => (await fresh.tally()) > 0);
    await again.kill();
  });
});
