import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import {
  Bed,
  distPath,
  etherType,
  ethernet,
  ipProtocol,
  ipv4,
  removeAbandonedBeds,
  udp,
  until,
  type Place,
} from './bed/index.js';
import { startTimeOf } from './bed/names.js';
import { netnsDir, processesIn } from './bed/namespaces.js';

async function namespacesOf(bed: string): Promise<string[]> {
  return (await readdir(netnsDir)).filter((name) => name.startsWith(bed));
}

describe('test bed', () => {
  let bed: Bed;
  let one: Place;
  let two: Place;

  before(async () => {
    bed = await Bed.create({ nodes: ['node-1', 'node-2'], offices: ['alder', 'birch'] });
    one = bed.place('node-1');
    two = bed.place('node-2');
  });
  after(async () => bed.remove());

  it('joins nodes, the console and offices behind the router, in IPv4 and IPv6', async () => {
    const places = [one, two, bed.console, bed.office('alder'), bed.office('birch')];
    const pairs = places.flatMap((from) => places.filter((to) => to !== from).map((to) => ({ from, to })));
    const outcomes = await Promise.all(
      pairs.flatMap(({ from, to }) => [from.ping(to.ipv4), from.ping(to.ipv6)].map(async (it) => it)),
    );
    expect(outcomes).to.deep.equal(pairs.flatMap(() => ['answered', 'answered']));
  });

  it('tells an answer from a refusal, an unreachable address and silence', async () => {
    const tcp = await two.listenTcp();
    const udpEcho = await two.listenUdp({ answer: true, family: 6 });
    expect(await one.tryTcp({ to: two.ipv4, port: tcp.port })).to.equal('answered');
    expect(await one.tryTcp({ to: two.ipv4, port: 1 })).to.equal('refused');
    expect(await one.tryUdp({ to: two.ipv6, port: udpEcho.port })).to.equal('answered');
    expect(await one.tryUdp({ to: two.ipv4, port: 1 })).to.equal('refused');
    expect(await one.tryTcp({ to: '198.18.200.1', port: 1 })).to.equal('unreachable');
    await two.must(['nft', '-f', '-'], {
      input:
        'table inet t { chain c { type filter hook input priority 0; tcp dport 81 drop; udp dport 81 drop; }; }',
    });
    expect(await one.tryTcp({ to: two.ipv4, port: 81 })).to.equal('silent');
    expect(await one.tryUdp({ to: two.ipv4, port: 81 })).to.equal('silent');
    await two.must(['nft', 'delete', 'table', 'inet', 't']);
  });

  it('carries a conversation over TCP and shows how it ends', async () => {
    const listener = await two.listenTcp({ answer: true });
    const connection = await bed.office('alder').openTcp({ to: two.ipv4, port: listener.port });
    await connection.send('good morning');
    await connection.receives('good morning');
    const other = await listener.connection();
    expect(other.peer).to.equal(bed.office('alder').ipv4);
    await connection.abort();
    await until(() => other.closed === 'Connection reset by peer', { what: 'the reset' });
  });

  it('sends frames made by hand and shows what arrives at an interface and at a socket', async () => {
    const listener = await two.listenUdp({ port: 9000 });
    const tap = await two.tap();
    const header = { from: '10.77.0.99', to: two.ipv4, protocol: ipProtocol.udp };
    const datagram = udp(header, { from: 5, to: 9000 }, 'by hand');
    const frame = ethernet({ to: two.mac, from: one.mac, type: etherType.ipv4 }, ipv4(header, datagram));
    await one.sendFrames([frame]);
    const arrival = await listener.arrival('by hand');
    expect(arrival).to.include({ from: '10.77.0.99', port: 5 });
    expect((await tap.frame((it) => it.data.includes('by hand'))).data).to.deep.equal(frame);
  });

  it('sends packets of any IP protocol', async () => {
    const listener = await two.listenIp(ipProtocol.sctp);
    await one.sendIp(ipProtocol.sctp, two.ipv4, 'not really an association');
    expect((await listener.arrival('not really')).from).to.equal(one.ipv4);
  });

  it('captures packets to a pcap file', async () => {
    const capture = await two.capture({ only: 'icmp' });
    await one.ping(two.ipv4);
    const bytes = await readFile(await capture.stop());
    expect(bytes.subarray(0, 4).toString('hex')).to.be.oneOf(['d4c3b2a1', '4d3cb2a1']);
    expect(bytes.length).to.be.greaterThan(24 + 2 * 16);
  });

  it('floods, and says how much left', async () => {
    const listener = await two.listenUdp({ tally: true });
    const flood = await one.flood({ to: two.ipv4, port: listener.port, rate: 5000 });
    await until(async () => (await listener.tally()) > 500, { what: '500 datagrams' });
    const { sent, failed } = await flood.stop();
    expect(failed).to.equal(0);
    await until(async () => (await listener.tally()) === sent, { what: 'every datagram that left' });
    await listener.close();
  });

  it('cuts a cable and restores it', async () => {
    await one.link.cut();
    expect(await two.ping(one.ipv4)).to.not.equal('answered');
    expect(await one.must(['cat', '/sys/class/net/eth0/carrier'])).to.equal('0\n');
    await one.link.restore();
    await until(async () => (await two.ping(one.ipv4)) === 'answered', { what: 'an answer' });
  });

  it('adds delay and loss to a cable, and takes them away again', async () => {
    await one.link.worsen({ delay_ms: 100 });
    const before = performance.now();
    expect(await two.ping(one.ipv4, { patience_ms: 5000 })).to.equal('answered');
    expect(performance.now() - before).to.be.greaterThan(190);
    await one.link.worsen({ loss: 1 });
    expect(await two.ping(one.ipv4)).to.equal('silent');
    await one.link.worsen({ loss: 0.5 });
    const outcomes = await Promise.all(Array.from({ length: 60 }, async () => two.ping(one.ipv4)));
    expect(outcomes).to.include('answered');
    expect(outcomes).to.include('silent');
    await one.link.heal();
    expect(await two.ping(one.ipv4, { patience_ms: 5000 })).to.equal('answered');
  });

  it('carries whole TCP streams over a bad cable unharmed', async () => {
    await one.link.worsen({ delay_ms: 2, jitter_ms: 2 });
    const listener = await two.listenTcp();
    const connection = await one.openTcp({ to: two.ipv4, port: listener.port, patience_ms: 5000 });
    const sent = Buffer.alloc(2_000_000, 'a line of text that is sent often\n');
    await connection.send(sent);
    const other = await listener.connection();
    await until(() => other.received.length === sent.length, { what: 'all bytes' });
    expect(other.received.equals(sent)).to.equal(true);
    await one.link.heal();
  });

  it('kills a process with kill -9, and all that it started with it', async () => {
    const process = one.spawn(['sh', '-c', 'sleep 1000 & echo started; wait']);
    await process.says(/started/);
    expect(await processesIn([one.namespace])).to.have.length(2);
    await process.kill();
    await until(async () => (await processesIn([one.namespace])).length === 0, {
      what: 'an empty namespace',
    });
    expect((await process.ended).signal).to.equal('SIGKILL');
  });

  it("shows a process its own namespace's interfaces and the machine's cgroups", async () => {
    const interfaces = (await one.must(['ls', '/sys/class/net'])).split(/\s+/);
    expect(interfaces).to.include('eth0').and.not.include('br0');
    expect(await one.must(['ls', '/sys/fs/cgroup'])).to.not.equal('');
  });

  it("jumps a process's clock forward and back while its timers go on", async () => {
    const clock = await one.clock();
    const program = 'setInterval(() => console.log(`at ${Date.now()}.`), 20)';
    const process = one.spawn(['node', '-e', program], { env: clock.env });
    const shows = async (low: number, high: number): Promise<void> => {
      await until(
        () => {
          const last = Number(/at (\d+)\.\s*$/.exec(process.log)?.[1]);
          return last > low && last < high;
        },
        { what: () => `a clock between ${low} and ${high} in\n${process.log.slice(-200)}` },
      );
    };
    const hour_ms = 3_600_000;
    const start = Date.now();
    await shows(start - 1, start + hour_ms / 2);
    await clock.jump(2 * hour_ms);
    await shows(start + hour_ms, start + 3 * hour_ms);
    await clock.jump(-5 * hour_ms);
    await shows(start - 4 * hour_ms, start - 2 * hour_ms);
    await process.kill();
  });

  it('stands beside another bed with the same addresses, and neither hears the other', async () => {
    const other = await Bed.create({ nodes: ['node-1', 'node-2'] });
    try {
      const here = await two.listenUdp({ port: 7000 });
      const there = await other.place('node-2').listenUdp({ port: 7000 });
      await one.sendUdp({ to: two.ipv4, port: 7000 }, 'for here');
      await other.place('node-1').sendUdp({ to: two.ipv4, port: 7000 }, 'for there');
      await Promise.all([here.arrival('for here'), there.arrival('for there')]);
      expect(here.arrivals).to.have.length(1);
      expect(there.arrivals).to.have.length(1);
    } finally {
      await other.remove();
    }
  });

  it('leaves nothing behind when it is removed', async () => {
    const started = performance.now();
    const other = await Bed.create({
      nodes: ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8'],
      offices: ['x'],
    });
    const made = performance.now();
    const daemon = other.place('n1').spawn(['sh', '-c', 'setsid sleep 1000 & echo ready; exec sleep 1000']);
    await daemon.says(/ready/);
    const used = performance.now();
    await other.remove();
    const removed = performance.now();
    console.log(
      `      made in ${(made - started).toFixed(0)} ms, removed in ${(removed - used).toFixed(0)} ms`,
    );
    expect(await namespacesOf(other.name)).to.deep.equal([]);
    expect(existsSync(other.dir)).to.equal(false);
    expect(daemon.running).to.equal(false);
  });

  it('is removed by the next run after its own was killed', async () => {
    const script = `
      import { Bed } from ${JSON.stringify(distPath('test/facility/bed/index.js'))};
      const bed = await Bed.create({ nodes: ['node-1'] });
      await bed.place('node-1').spawn(['sh', '-c', 'echo up; exec sleep 1000']).says(/up/);
      console.log(bed.name);
      setInterval(() => {}, 1000);`;
    const run = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(run.stdout, 'data')) as [Buffer];
    const name = said.toString().trim();
    run.kill('SIGKILL');
    await once(run, 'exit');
    const left = await namespacesOf(name);
    expect(left).to.not.deep.equal([]);
    const processes = await processesIn(left);
    expect(processes).to.have.length(1);
    await removeAbandonedBeds();
    // Another run on this machine may be sweeping at the same moment.
    await until(async () => (await namespacesOf(name)).length === 0, {
      what: 'no namespace of the dead run',
    });
    expect(processes.filter((pid) => startTimeOf(pid) !== undefined)).to.deep.equal([]);
  });
});
