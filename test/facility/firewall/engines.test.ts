import { expect } from 'chai';
import type { Filter } from '../../../bmonitor/filters/model.js';
import { Bed, sourcePath, until, type BedProcess, type Place } from '../bed/index.js';
import { allowing, Enforced, peer } from './enforced.js';
import { servicePoint, tcp } from '../../../bmonitor/filters/protocols.js';

/** A network namespace behind a routed interface of the node, as an engine has one. */
class EngineNet {
  private constructor(
    readonly node: Place,
    readonly process: BedProcess,
    readonly port: string,
    readonly address: string,
    readonly gateway: string,
  ) {}

  static async at(node: Place, number: number): Promise<EngineNet> {
    const process = node.spawn(['unshare', '-n', 'sh', '-c', 'echo ready; exec sleep 600']);
    await process.says(/ready/u);
    const [port, inside] = [`eng${number}`, `in${number}`];
    const [gateway, address] = [`10.88.0.${4 * number + 1}`, `10.88.0.${4 * number + 2}`];
    const net = new EngineNet(node, process, port, address, gateway);
    await node.must([
      'ip',
      'link',
      'add',
      port,
      'type',
      'veth',
      'peer',
      'name',
      inside,
      'netns',
      String(process.pid),
    ]);
    await node.must(['ip', 'addr', 'add', `${gateway}/30`, 'dev', port]);
    await node.must(['ip', 'link', 'set', port, 'up']);
    await net.must(['ip', 'addr', 'add', `${address}/30`, 'dev', inside]);
    await net.must(['ip', 'link', 'set', 'lo', 'up']);
    await net.must(['ip', 'link', 'set', inside, 'up']);
    await net.must(['ip', 'route', 'add', 'default', 'via', gateway]);
    return net;
  }

  command(words: readonly string[]): readonly string[] {
    return ['nsenter', '-t', String(this.process.pid), '-n', ...words];
  }

  must(words: readonly string[]): Promise<string> {
    return this.node.must(this.command(words));
  }

  /** Does a TCP connection come about? */
  async reaches(address: string, port: number, from = '0.0.0.0'): Promise<boolean> {
    const script = `import socket;socket.create_connection((${JSON.stringify(address)},${port}),0.4,(${JSON.stringify(from)},0))`;
    const { code } = await this.node.run(this.command(['/usr/bin/python3', '-S', '-E', '-c', script]));
    return code === 0;
  }

  async serve(port: number): Promise<void> {
    const words = ['/usr/bin/python3', '-S', '-E', sourcePath('scripts/bench/load.py'), 'serve'];
    await this.node.spawn(this.command([...words, '0.0.0.0', String(port)])).says(/ready/u);
  }
}

describe('engines behind the filters', () => {
  let bed: Bed;
  let node: Place;
  let other: Place;
  let one: EngineNet;
  let two: EngineNet;
  let enforced: Enforced;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    [one, two] = [await EngineNet.at(node, 0), await EngineNet.at(node, 1)];
    await node.must(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
    await other.must(['ip', 'route', 'add', '10.88.0.0/24', 'via', node.ipv4]);
    for (const engine of [one, two]) await engine.serve(80);
    await node.listenTcp({ port: 81 });
    await other.listenTcp({ port: 80 });
    enforced = await Enforced.at(node);
    await enforced.enforce({
      addresses: [node.ipv4, one.address, two.address, one.gateway, two.gateway].map(peer),
      engines: [one, two].map((engine) => ({ interface: engine.port, addresses: [peer(engine.address)] })),
    });
  });
  after(async () => {
    await enforced.close();
    await bed.remove();
  });

  const web = (direction: 'in' | 'out', ...peers: readonly string[]): Filter => ({
    action: 'allow',
    direction,
    peers,
    protocol: 'tcp',
    ports: [80, 81],
  });

  it('are reached where an allow says in', async () => {
    await enforced.allow(web('in', other.ipv4));
    expect(await other.tryTcp({ to: one.address, port: 80 })).to.equal('answered');
    expect(await one.reaches(other.ipv4, 80)).to.equal(false);
    await enforced.allow();
    expect(await other.tryTcp({ to: one.address, port: 80 })).to.equal('silent');
  });

  it('reach where an allow says out', async () => {
    await enforced.allow(web('out', other.ipv4));
    expect(await one.reaches(other.ipv4, 80)).to.equal(true);
    expect(await other.tryTcp({ to: one.address, port: 80 })).to.equal('silent');
  });

  it('reach each other only where one may start and the other be started at', async () => {
    await enforced.allow(web('out', two.address));
    expect(await one.reaches(two.address, 80)).to.equal(false);
    await enforced.allow(web('in', one.address));
    expect(await one.reaches(two.address, 80)).to.equal(false);
    await enforced.allow(web('out', two.address), web('in', one.address));
    expect(await one.reaches(two.address, 80)).to.equal(true);
    expect(await two.reaches(one.address, 80)).to.equal(false);
  });

  it('reach the node itself by the same rule', async () => {
    await enforced.allow(web('out', node.ipv4));
    expect(await one.reaches(node.ipv4, 81)).to.equal(false);
    await enforced.allow(web('out', node.ipv4), web('in', one.address));
    expect(await one.reaches(node.ipv4, 81)).to.equal(true);
  });

  it('have no part in the ways to consoles and gateways, which are the node’s', async () => {
    const services = { lo: servicePoint(tcp, 80), hi: servicePoint(tcp, 80) };
    const ways = (['in', 'out'] as const).map((direction) => ({
      direction,
      peer: peer(other.ipv4),
      services,
    }));
    await enforced.enforce({ consoles: ways, levels: [allowing()] });
    expect(await node.tryTcp({ to: other.ipv4, port: 80 })).to.equal('answered');
    expect(await one.reaches(other.ipv4, 80)).to.equal(false);
    expect(await other.tryTcp({ to: one.address, port: 80 })).to.equal('silent');
    await enforced.enforce({ consoles: [] });
  });

  it('speak only from their own addresses', async () => {
    await enforced.allow({ action: 'allow' });
    expect(await one.reaches(other.ipv4, 80)).to.equal(true);
    await one.must(['ip', 'addr', 'add', `${two.address}/32`, 'dev', 'lo']);
    expect(await one.reaches(other.ipv4, 80, two.address)).to.equal(false);
    await until(async () => {
      const counters = await enforced.firewall.counters();
      return counters.ok && (counters.value.named.get('refused_engine_source')?.packets ?? 0) > 0;
    });
  });
});
