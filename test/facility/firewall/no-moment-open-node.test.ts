import { expect } from 'chai';
import { addressesOf } from '../addresses/client-under-test.js';
import { ServerUnderTest } from '../addresses/server-under-test.js';
import { Bed, sourcePath, until, type BedProcess, type Place } from '../bed/index.js';
import { Commanded } from './commanded.js';
import { PacketCounts, type Counted } from './counted.js';

/** Small enough for a machine that is shared; `BMONITOR_CHANGES` asks for more. */
const rounds = Math.max(1, Math.ceil(Number(process.env['BMONITOR_CHANGES'] ?? 150) / 75));

describe('no moment open while a whole node is commanded, killed, flushed and moved', () => {
  let bed: Bed;
  let place: Place;
  let friend: Place;
  let stranger: Place;
  let server: ServerUnderTest;
  let node: Commanded;
  let counts: PacketCounts;
  const [first, second] = ['10.77.0.100', '10.77.0.200'];
  const [friendly, hostile] = ['10.77.0.98', '10.77.0.99'];

  const way = (ports: readonly (number | string)[]): Record<string, unknown> => ({
    action: 'allow',
    direction: 'in',
    peers: [friendly],
    protocol: 'udp',
    ports,
  });
  const others = (count: number, from: number): Record<string, unknown>[] =>
    Array.from({ length: count }, (_, at) => ({
      action: at % 3 === 0 ? 'deny' : 'allow',
      peers: [`10.${100 + ((from + at) % 50)}.${at % 250}.0/26`],
      protocol: 'tcp',
      ports: [`${(from + at) % 1000}-2000`],
    }));
  const version = async (): Promise<number> =>
    ((await node.must(0, { type: 'status' })) as { filters: { version: number } }).filters.version;
  const replace = async (...filters: readonly Record<string, unknown>[]): Promise<void> => {
    await node.must(0, {
      type: 'filters.replace',
      expect: await version(),
      set: { otherwise: 'deny', filters },
    });
  };
  const spray = async (from: Place, source: string, port: number, to = first): Promise<BedProcess> => {
    const words = [from.nic, from.mac, source, place.mac, to, String(port), '3000'];
    const script = sourcePath('test/facility/firewall/spray.py');
    const process = from.spawn(['/usr/bin/python3', '-S', '-E', script, ...words]);
    await process.says(/ready/);
    return process;
  };
  const stop = async (process: BedProcess): Promise<void> => {
    process.write('stop\n');
    await process.says(/sent (\d+)/);
  };
  /** Once nothing is on its way any more. */
  const settled = async (port: number): Promise<Counted> => {
    let counted = await counts.of(port);
    await until(
      async () => {
        const before = counted.came;
        counted = await counts.of(port);
        return counted.came === before && counted.came === counted.passed;
      },
      { bound_ms: 3000 },
    ).catch(() => {});
    return counted;
  };

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'stranger', 'friend'], addressed: false });
    [place, friend, stranger] = [bed.place('node'), bed.place('friend'), bed.place('stranger')];
    for (const [at, address] of [
      [friend, friendly],
      [stranger, hostile],
    ] as const)
      await at.must(['ip', 'address', 'add', `${address}/16`, 'dev', at.nic]);
    server = await ServerUnderTest.start(bed.console);
    await server.pool('10.77.0.100', '10.77.0.109', { routers: ['10.77.0.1'] });
    await server.adopt({ mac: place.mac, node: 'node-1' });
    node = await Commanded.at(place, 'whole', ['--dhcp', '--console', bed.console.ipv4]);
    await until(async () => (await addressesOf(place)).join() === `${first}/16`);
    counts = await PacketCounts.at(place, [80, 81, 82]);
    await replace(way(['80-81']));
  });
  after(async () => {
    await node.close();
    await bed.remove();
  });

  it('loses nothing that all allow and passes nothing that all refuse, in changes by command and when it is killed', async () => {
    const sprays = [await spray(stranger, hostile, 82), await spray(friend, friendly, 80)];
    for (let round = 0; round < rounds; round++) {
      await node.must(0, {
        type: 'filters.change',
        expect: await version(),
        add: others(3, round),
        remove: [],
      });
      await node.must(0, { type: 'filters.change', expect: await version(), add: [], remove: [1] });
      await replace(way([80]), way([81]), ...others(1200, round));
      await replace(way(['80-81']), { action: 'deny', peers: [hostile] });
      await node.killed();
      await replace({ action: 'allow', peers: [friendly] }, ...others(40, round));
      await node.killed();
    }
    for (const one of sprays) await stop(one);
    const [fresh, refused] = [await settled(80), await counts.of(82)];
    expect({ fresh: fresh.passed, refused: refused.passed }).to.deep.equal({ fresh: fresh.came, refused: 0 });
    expect(fresh.came).to.be.greaterThan(1000);
    expect(refused.came).to.be.greaterThan(1000);
  });

  it('passes nothing that is refused while quarantine goes on and off, others flush all rules, and it is killed besides', async () => {
    const before = await counts.of(82);
    const sprays = [await spray(stranger, hostile, 82), await spray(friend, friendly, 81)];
    for (let round = 0; round < rounds; round++) {
      await node.must(0, { type: 'quarantine', on: true, reason: 'a test' });
      const quiet = await counts.of(81);
      await until(async () => (await counts.of(81)).came > quiet.came + 100);
      expect((await counts.of(81)).passed, 'in quarantine').to.equal(quiet.passed);
      await place.must(['nft', 'flush', 'ruleset']);
      await node.killed();
      await until(async () => (await counts.of(81)).came > quiet.came + 1000);
      expect((await counts.of(81)).passed, 'in quarantine, flushed and killed').to.equal(quiet.passed);
      await node.must(0, { type: 'quarantine', on: false });
      await until(async () => (await counts.of(81)).passed > quiet.passed);
      await place.must(['nft', 'flush', 'ruleset']);
      await until(async () => (await place.must(['nft', 'list', 'tables'])).includes('inet bmonitor\n'));
    }
    for (const one of sprays) await stop(one);
    const refused = await counts.of(82);
    expect(refused.passed).to.equal(0);
    expect(refused.came).to.be.greaterThan(before.came + 1000);
  });

  it('passes nothing that is refused, to the old address or the new, while it moves', async () => {
    const sprays = [await spray(stranger, hostile, 82), await spray(stranger, hostile, 82, second)];
    const wanted = [await spray(friend, friendly, 80), await spray(friend, friendly, 81, second)];
    const before = { old: await counts.of(80), new: await counts.of(81) };
    await server.adopt({ mac: place.mac, node: 'node-1', fixed: second });
    await place.link.cut();
    await place.link.restore();
    await until(async () => (await addressesOf(place)).join() === `${second}/16`, { bound_ms: 30_000 });
    await until(async () => (await counts.of(81)).passed > before.new.passed);
    const moved = await counts.of(80);
    await until(async () => (await counts.of(80)).came > moved.came + 500);
    expect((await counts.of(80)).passed, 'to the address that was').to.equal(moved.passed);
    for (const one of [...sprays, ...wanted]) await stop(one);
    expect((await counts.of(82)).passed).to.equal(0);
  });
});
