import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, RealConsole } from '../fakes/console.js';
import { Attended, MachineAtDesk } from '../fakes/machine-at-desk.js';
import { ManBetween } from '../fakes/man-between.js';
import { until } from '../fakes/until.js';

interface Machine {
  readonly id: string;
  readonly standing: string;
  readonly unverified: { readonly name: string; readonly hardware: { readonly memory_bytes: number } };
}
const cluster = fileURLToPath(new URL('../../console-cluster/cli/index.js', import.meta.url));
const otherThan = (code: string): string =>
  code.startsWith('0') ? `1${code.slice(1)}` : `0${code.slice(1)}`;

describe('a machine without a landlord and a console, as real processes', function () {
  this.timeout(180_000);
  const landlord = new RealConsole('console-cluster');
  const tenant = new RealConsole('console-app');
  const machine = new MachineAtDesk();
  let gateway = '';
  let listen = '';

  before(async () => {
    const port = await freePort();
    gateway = `wss://127.0.0.1:${port}`;
    listen = `127.0.0.1:${await freePort()}`;
    landlord.init('--gateway', '127.0.0.1', '--gateway-port', String(port));
    tenant.init();
    await landlord.run();
  });
  after(async () => {
    await machine.remove();
    await landlord.remove();
    await tenant.remove();
  });

  const machines = (): readonly Machine[] =>
    (JSON.parse(landlord.must('adoption', 'list', '--json')) as { machines: readonly Machine[] }).machines;
  const waits = async (): Promise<void> =>
    until(() => machines().some(({ standing }) => standing === 'waiting'));
  const accept = (...more: readonly string[]): Attended =>
    new Attended(cluster, '--dir', landlord.dir, 'adoption', 'accept', 'web-1', ...more);
  const codeOfMachine = async (program: Attended): Promise<string> =>
    program.says(/code of this machine: +(\d{4} \d{4})/);
  const codeOfConsole = async (program: Attended): Promise<string> =>
    program.says(/type this at the machine: +(\d{4} \d{4})/);
  const stateOf = (name: string): string =>
    (
      JSON.parse(landlord.must('nodes', 'list', '--json')) as { nodes: { name: string; state: string }[] }
    ).nodes.find((node) => node.name === name)?.state ?? 'none';

  it('is listed as waiting with what it says of itself, and nothing of it is made yet', async () => {
    const program = machine.pair(gateway, listen, '--name', 'web-1');
    await waits();
    const [waiting] = machines();
    expect(waiting?.unverified.name).to.equal('web-1');
    expect(waiting?.unverified.hardware.memory_bytes).to.be.greaterThan(0);
    expect(landlord.must('adoption', 'list')).to.include('unverified');
    expect(existsSync(machine.dir)).to.equal(false);
    program.kill();
    await until(() => machines().length === 0);
  });

  it('is refused by one wrong code at the console, which cannot be tried again', async () => {
    const program = machine.pair(gateway, listen, '--name', 'web-1');
    await waits();
    const console = accept();
    const shown = await codeOfMachine(program);
    console.type(otherThan(shown));
    expect(await console.over).to.equal(1);
    expect(console.said).to.include('pairing-code-wrong');
    expect(await program.over).to.equal(1);
    expect(program.said).to.include('pairing-code-wrong');
    const again = accept();
    expect(await again.over).to.equal(1);
    expect(again.said).to.include('not-found');
    expect(existsSync(machine.dir)).to.equal(false);
  });

  it('refuses a console whose code was not typed at the machine, and shows other codes the next time', async () => {
    const program = machine.pair(gateway, listen, '--name', 'web-1');
    await waits();
    const console = accept();
    const [shown, wanted] = [await codeOfMachine(program), await codeOfConsole(console)];
    // The machine refuses while the code is still being typed here.
    program.type(otherThan(wanted));
    expect(await program.over).to.equal(1);
    console.type(shown);
    expect(await console.over).to.equal(1);
    expect(console.said).to.include('pairing-code-wrong');
    expect(existsSync(machine.dir)).to.equal(false);
    expect(stateOf('web-1')).to.equal('none');
    const next = machine.pair(gateway, listen, '--name', 'web-1');
    await waits();
    const other = accept();
    expect(await codeOfMachine(next)).to.not.equal(shown);
    next.kill();
    other.kill();
    await other.over;
  });

  it('with somebody in between shows codes that do not fit, at either side, and nothing is adopted', async () => {
    const man = await ManBetween.between(gateway);
    try {
      const program = machine.pair(man.url, listen, '--name', 'web-1');
      await waits();
      const console = accept();
      const [shown, wanted] = [await codeOfMachine(program), await codeOfConsole(console)];
      expect(man.towardsMachine?.machine).to.equal(shown);
      expect(man.towardsConsole?.console).to.equal(wanted);
      expect(man.towardsConsole?.machine, 'what the console would take').to.not.equal(shown);
      expect(man.towardsMachine?.console, 'what the machine would take').to.not.equal(wanted);
      program.type(wanted);
      expect(await program.over).to.equal(1);
      expect(program.said).to.include('pairing-code-wrong');
      console.type(shown);
      expect(await console.over).to.equal(1);
      expect(existsSync(machine.dir)).to.equal(false);
      expect(stateOf('web-1')).to.equal('none');
    } finally {
      man.close();
    }
  });

  it('becomes a node once each side typed what the other shows, and is good', async () => {
    const program = machine.pair(gateway, listen, '--name', 'web-1');
    await waits();
    const console = accept('--name', 'rack-3-node-7', '--room', 'hall', '--rack', '3', '--spare');
    const [shown, wanted] = [await codeOfMachine(program), await codeOfConsole(console)];
    console.type(shown);
    program.type(wanted.replace(' ', ''));
    expect(await program.over, program.said).to.equal(0);
    expect(await console.over, console.said).to.equal(0);
    const [way] = machine.config().gateways;
    expect(machine.config().name).to.equal('rack-3-node-7');
    expect(way?.url).to.equal(gateway);
    expect(way?.pin, 'the pin that only the console could vouch for').to.be.a('string');
    machine.run();
    await until(() => stateOf('rack-3-node-7') === 'good');
    expect(landlord.must('nodes', 'list')).to.include('hall 3 (spare)');
  });

  it('tells where the node stands, what it is made of, and what both sides signed', () => {
    landlord.must('nodes', 'place', 'rack-3-node-7', '--position', '7', '--no-spare');
    const shown = JSON.parse(landlord.must('nodes', 'inventory', 'rack-3-node-7', '--json')) as {
      place: object;
      hardware: { cpu: { threads: number } };
      adopted: { by: string; console: string; machine: string };
    };
    expect(shown.place).to.deep.equal({ room: 'hall', rack: '3', position: '7', spare: false });
    expect(shown.hardware.cpu.threads).to.be.greaterThan(0);
    expect(shown.adopted.by).to.equal('token-file');
    expect(shown.adopted.console).to.equal(readFileSync(join(machine.dir, 'adoption.jws'), 'utf8').trim());
    const node = JSON.parse(landlord.must('nodes', 'show', 'rack-3-node-7', '--json')) as { machine: string };
    expect(node.machine).to.include('GiB memory');
  });

  it('is retired only by its name; its lease ends, and no console commands it any more', async () => {
    const card = join(tenant.dir, 'console.pub.json');
    landlord.must('leases', 'grant', 'rack-3-node-7', '--to', card, '--customer', 'alder', '--for', '30d');
    const before = JSON.parse(landlord.must('nodes', 'show', 'rack-3-node-7', '--json')) as { id: string };
    // A cluster whose name looks much like an address is a cluster all the same.
    landlord.must('clusters', 'set', 'cafe.de', 'rack-3-node-7');
    const reason = ['--service', 'https', '--reason', 'a try', '--until', '1h'];
    landlord.must('exceptions', 'allow', 'cafe.de', 'node:rack-3-node-7', ...reason);
    const asked = landlord.cli('nodes', 'retire', 'rack-3-node-7');
    expect(asked.status).to.equal(1);
    expect(asked.out).to.include('level 1');
    expect(landlord.cli('nodes', 'retire', 'rack-3-node-7', '--confirm', 'web-1').err).to.include(
      'not-named',
    );
    const out = landlord.file('receipts', '');
    const cardFile = landlord.file('card.json', readFileSync(join(machine.dir, 'card-0.json'), 'utf8'));
    landlord.must('nodes', 'retire', 'rack-3-node-7', '--confirm', 'rack-3-node-7', '--out', out);
    expect(readFileSync(out, 'utf8').trim().split('\n').length).to.be.greaterThan(0);
    expect(stateOf('rack-3-node-7')).to.equal('none');
    expect(landlord.must('leases', 'list')).to.match(/rack-3-node-7 .*ended/);
    expect(landlord.must('nodes', 'retired')).to.include(before.id);
    expect(landlord.must('clusters', 'list', '--json'))
      .to.include('cafe.de')
      .and.not.include('rack-3-node-7');
    expect(landlord.must('exceptions', 'list', '--json')).not.to.include('rack-3-node-7');
    expect(landlord.must('boundaries', 'list', '--json')).not.to.include('rack-3-node-7');
    landlord.must('nodes', 'add', cardFile);
    await until(() => stateOf('rack-3-node-7') === 'refused');
    landlord.must('nodes', 'remove', 'rack-3-node-7');
  });

  it('is adopted again as another node, with another identity', async () => {
    const retired = JSON.parse(readFileSync(join(machine.dir, 'card-0.json'), 'utf8')) as {
      identity: object;
    };
    const runs = machine.pair(gateway, listen, '--name', 'web-1', '--anew', 'rack-3-node-7');
    expect(await runs.over, 'while it runs').to.equal(1);
    await machine.stop();
    const unnamed = machine.pair(gateway, listen, '--name', 'web-1');
    expect(await unnamed.over).to.equal(1);
    expect(unnamed.said).to.include('already-initialised');
    const program = machine.pair(gateway, listen, '--name', 'web-1', '--anew', 'rack-3-node-7');
    await waits();
    const console = accept();
    const [shown, wanted] = [await codeOfMachine(program), await codeOfConsole(console)];
    program.type(wanted);
    console.type(shown);
    expect(await program.over, program.said).to.equal(0);
    expect(await console.over, console.said).to.equal(0);
    const anew = JSON.parse(readFileSync(join(machine.dir, 'card-0.json'), 'utf8')) as { identity: object };
    expect(anew.identity).to.not.deep.equal(retired.identity);
    machine.run();
    await until(() => stateOf('web-1') === 'good');
  });
});
