import { expect } from 'chai';
import { rmSync } from 'node:fs';
import { Bed, until, type Place } from '../bed/index.js';
import { Commanded } from '../firewall/commanded.js';
import { importInto, smallSystem } from './rig.js';

const everything = { otherwise: 'deny', filters: [{ action: 'allow' }] };

describe('the network of engines', function () {
  this.timeout(120_000);
  let bed: Bed;
  let node: Place;
  let other: Place;
  let commanded: Commanded;
  let image: string;
  let folder: string;
  let version = 0;

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

  async function engine(name: string, script: string, port?: number): Promise<void> {
    await commanded.must(1, {
      type: 'engine.put',
      name,
      settings: {
        image,
        command: ['sh', '-c', script],
        ...(port === undefined ? {} : { ports: [{ port, protocol: 'tcp' as const }] }),
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
    commanded = await Commanded.at(node, 'network');
    folder = smallSystem();
    image = importInto(commanded, folder);
    await allow(0, everything);
  });
  after(async () => {
    for (const name of ['web', 'caller', 'liar'])
      await commanded.ask(1, { type: 'engine.remove', name }).catch(() => undefined);
    await commanded.close();
    await bed.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets an engine be reached at its ports of the node, and only there', async () => {
    await engine('web', 'while :; do echo hello | nc -l -p 80; done', 80);
    await until(async () => (await other.tryTcp({ to: node.ipv4, port: 80 })) === 'answered');
    expect(await other.tryTcp({ to: node.ipv4, port: 81 })).to.not.equal('answered');
  });

  it('is behind the filters of all levels: a port that a filter closes is closed at once', async () => {
    await allow(1, { otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'tcp', ports: [80] }] });
    expect(await other.tryTcp({ to: node.ipv4, port: 80 })).to.equal('silent');
    await allow(1, { otherwise: 'inherit', filters: [] });
    await until(async () => (await other.tryTcp({ to: node.ipv4, port: 80 })) === 'answered');
  });

  it('lets an engine speak under the node’s address, where the filters let the node', async () => {
    const listener = await other.listenTcp({ port: 9000 });
    await engine('caller', `while :; do nc -w 1 ${other.ipv4} 9000 </dev/null; sleep 0.2; done`);
    expect((await listener.connection()).peer).to.include(node.ipv4);
    await commanded.must(1, { type: 'engine.kill', name: 'caller' });
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
