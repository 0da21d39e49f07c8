import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { networkOf } from '../../../bmonitor/node/engine-ways.js';
import { Bed, until, type Place } from '../bed/index.js';
import { Commanded } from '../firewall/commanded.js';
import { importInto, smallSystem } from './rig.js';

/** What the machine keeps for engines. */
const own = ['10.77.0.70', 'fd77::70'] as const;
const everything = { otherwise: 'deny', filters: [{ action: 'allow' }] };

/** A datagram to port 9 of those of the first two words that are of its family, from each of the others; from nothing: as the kernel chooses. */
const sendAs = `
import socket, sys
for source in sys.argv[3:]:
    for to in sys.argv[1:3]:
        six = ":" in to
        if source and (":" in source) != six: continue
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(*((socket.IPPROTO_IPV6, 75, 1) if six else (socket.SOL_IP, 19, 1)))
        if source: s.bind((source, 0))
        s.sendto(source.encode() or b"honest", (to, 9))
`;

describe('the network of engines', function () {
  this.timeout(120_000);
  let bed: Bed;
  let node: Place;
  let other: Place;
  let commanded: Commanded;
  let image: string;
  let folder: string;
  let version = 0;

  /** The first process of an engine. */
  function pidOf(name: string): number {
    const runs = join(
      '/run/bmonitor',
      createHash('sha256').update(commanded.dir).digest('hex').slice(0, 12),
      'i',
    );
    for (const run of readdirSync(runs)) {
      const read = (file: string): unknown => JSON.parse(readFileSync(join(runs, run, file), 'utf8'));
      if ((read('config.json') as { readonly hostname: string }).hostname === name)
        return (read('handle.json') as { readonly pid: number }).pid;
    }
    throw new Error(`${name} does not run`);
  }

  async function allow(level: number, set: object): Promise<void> {
    const { version: next } = await commanded.must(level, {
      type: 'filters.replace',
      expect: level === 0 ? version : tenantVersion,
      set: set as Readonly<Record<string, unknown>>,
    });
    if (level === 0) version = Number(next);
    else tenantVersion = Number(next);
  }
  let tenantVersion = 1;

  async function engine(
    name: string,
    script: string,
    { port, addresses }: { readonly port?: number; readonly addresses?: readonly string[] } = {},
  ): Promise<void> {
    await commanded.must(1, {
      type: 'engine.put',
      name,
      settings: {
        image,
        command: ['sh', '-c', script],
        ...(port === undefined ? {} : { ports: [{ port, protocol: 'tcp' as const }] }),
        ...(addresses ? { addresses } : {}),
      },
    });
    await commanded.must(1, { type: 'engine.start', name });
    await until(async () => {
      const shown = await commanded.must(1, { type: 'engine.read', name });
      if (shown['lastFailure'] !== undefined) throw new Error(JSON.stringify(shown['lastFailure']));
      return shown['state'] === 'running';
    });
  }

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    commanded = await Commanded.at(node, 'network', [
      '--address',
      node.ipv4,
      node.ipv6,
      '--engine-address',
      ...own,
    ]);
    folder = smallSystem();
    image = importInto(commanded, folder);
    await allow(0, everything);
  });
  after(async () => {
    for (const name of ['web', 'caller', 'caller6', 'liar', 'alone'])
      await commanded.ask(1, { type: 'engine.remove', name }).catch(() => undefined);
    await commanded.close();
    await bed.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets an engine be reached at its ports of the node, and only there', async () => {
    await engine('web', 'while :; do echo hello | nc -l -p 80; done', { port: 80 });
    await until(async () => (await other.tryTcp({ to: node.ipv4, port: 80 })) === 'answered');
    expect(await other.tryTcp({ to: node.ipv4, port: 81 })).to.not.equal('answered');
  });

  it('lets it be reached by IPv6 just so', async () => {
    await until(async () => (await other.tryTcp({ to: node.ipv6, port: 80 })) === 'answered');
    expect(await other.tryTcp({ to: node.ipv6, port: 81 })).to.not.equal('answered');
  });

  it('is behind the filters of all levels: a port that a filter closes is closed at once', async () => {
    await allow(1, { otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'tcp', ports: [80] }] });
    expect(await other.tryTcp({ to: node.ipv4, port: 80 })).to.equal('silent');
    expect(await other.tryTcp({ to: node.ipv6, port: 80 })).to.equal('silent');
    await allow(1, { otherwise: 'inherit', filters: [] });
    await until(async () => (await other.tryTcp({ to: node.ipv4, port: 80 })) === 'answered');
  });

  it('lets an engine speak under the node’s address, where the filters let the node', async () => {
    const listener = await other.listenTcp({ port: 9000 });
    await engine('caller', `while :; do nc -w 1 ${other.ipv4} 9000 </dev/null; sleep 0.2; done`);
    expect((await listener.connection()).peer).to.include(node.ipv4);
    await commanded.must(1, { type: 'engine.kill', name: 'caller' });
    const listener6 = await other.listenTcp({ port: 9006, family: 6 });
    await engine('caller6', `while :; do nc -w 1 ${other.ipv6} 9006 </dev/null; sleep 0.2; done`);
    expect((await listener6.connection()).peer).to.include(node.ipv6);
    await commanded.must(1, { type: 'engine.kill', name: 'caller6' });
  });

  describe('with an address of its own', () => {
    const calls = (): string =>
      [other.ipv4, other.ipv6].map((to) => `timeout 1 nc ${to} 9070 </dev/null`).join('; ');

    it('has all that comes to it, at any port, and by both families', async () => {
      await engine(
        'alone',
        `(while :; do ${calls()}; sleep 0.2; done) & while :; do echo own | nc -l -p 5432; done`,
        {
          addresses: own,
        },
      );
      for (const to of own) await until(async () => (await other.tryTcp({ to, port: 5432 })) === 'answered');
      expect(await other.tryTcp({ to: node.ipv4, port: 5432 })).to.not.equal('answered');
      // What another engine serves at the node's address is not there.
      expect(await other.tryTcp({ to: own[0], port: 80 })).to.not.equal('answered');
    });

    it('is behind the filters as at every other address', async () => {
      await allow(1, { otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'tcp', ports: [5432] }] });
      for (const to of own) expect(await other.tryTcp({ to, port: 5432 })).to.equal('silent');
      await allow(1, { otherwise: 'inherit', filters: [] });
      for (const to of own) await until(async () => (await other.tryTcp({ to, port: 5432 })) === 'answered');
    });

    it('speaks under it', async () => {
      const listeners = await Promise.all(
        ([4, 6] as const).map((family) => other.listenTcp({ port: 9070, family })),
      );
      for (const [at, address] of own.entries())
        expect((await listeners[at]?.connection())?.peer).to.include(address);
    });

    it('is not given to a second one, and none takes an address that was not kept for engines', async () => {
      const settings = { image, command: ['true'] };
      for (const [addresses, code] of [
        [[own[1]], 'address-in-use'],
        [['FD77:0::70'], 'address-in-use'],
        [[node.ipv4], 'address-not-for-engines'],
        [['10.77.0.71'], 'address-not-for-engines'],
      ] as const) {
        const put = await commanded.ask(1, {
          type: 'engine.put',
          name: 'second',
          settings: { ...settings, addresses },
        });
        expect(put.error?.code, addresses[0]).to.equal(code);
      }
    });

    it('sends nothing under any other, whatever it writes into its packets', async () => {
      const listeners = await Promise.all(
        ([4, 6] as const).map((family) => other.listenUdp({ port: 9, family })),
      );
      const heard = (): readonly string[] =>
        listeners.flatMap(({ arrivals }) => arrivals.map(({ from }) => from));
      const neighbour = networkOf(1);
      const lies = ['10.77.0.99', node.ipv4, neighbour.address, 'fd77::99', node.ipv6, neighbour.address6];
      // From its network, but with all rights of the machine's root: nothing in an engine could do as much.
      const enter = ['-t', String(pidOf('alone')), '--net', 'python3', '-c', sendAs];
      execFileSync('nsenter', [...enter, other.ipv4, other.ipv6, ...lies, '']);
      // What it says honestly is said last, and comes last.
      for (const address of own) await until(() => heard().includes(address));
      expect(heard().filter((from) => !own.some((address) => from === address))).to.deep.equal([]);
    });
  });

  it('is changed by no engine, not by its root either', async () => {
    const tries = ['ip addr add 10.9.9.9/32 dev eth0', 'ip link set eth0 down', 'ip route del default'];
    await engine('liar', `${tries.map((one) => `${one} && exit 9`).join('; ')}; exec sleep 600`);
    const inside = await node.must(['sh', '-c', 'ip -br link | grep -c bme']);
    expect(Number(inside)).to.be.greaterThan(0);
    const shown = await commanded.must(1, { type: 'engine.read', name: 'liar' });
    expect([shown['state'], shown['restarts']]).to.deep.equal(['running', 0]);
  });
});
