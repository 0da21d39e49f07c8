import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '../fakes/folder.js';
import { RealConsole } from '../fakes/console.js';
import { FakeNode } from '../fakes/node.js';
import { until } from '../fakes/until.js';

const password = 'of-the-chassis';

async function freeUdpPort(): Promise<number> {
  const socket: Socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** A management controller of OpenIPMI's simulator: real RMCP+ sessions with a password, over a chassis that is a few files. */
class Simulator {
  readonly #folder = new TemporaryFolder('ipmi');
  port = 0;
  #child: ChildProcess | undefined;

  async start(): Promise<void> {
    this.port = await freeUdpPort();
    const chassis = join(this.#folder.path, 'chassis');
    writeFileSync(this.#file('power'), '0\n');
    writeFileSync(this.#file('log'), '');
    writeFileSync(
      chassis,
      `#!/bin/sh
echo "$@" >> ${this.#file('log')}
case "$1 $2" in
"get power") echo "power:$(cat ${this.#file('power')})";;
"set power") echo "$3" > ${this.#file('power')};;
esac
`,
    );
    chmodSync(chassis, 0o755);
    const allowed = ['callback', 'user', 'operator', 'admin'].map(
      (who) => `    allowed_auths_${who} none md2 md5 straight`,
    );
    writeFileSync(
      this.#file('lan.conf'),
      `name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${this.port}
    priv_limit admin
${allowed.join('\n')}
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${chassis}"
  user 2 true "keeper" "${password}" admin 10 none md2 md5 straight
`,
    );
    writeFileSync(
      this.#file('emu'),
      'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n',
    );
    mkdirSync(this.#file('state'));
    const files = ['-c', this.#file('lan.conf'), '-f', this.#file('emu'), '-s', this.#file('state'), '-n'];
    this.#child = spawn('ipmi_sim', files, { stdio: 'ignore' });
  }

  get log(): string {
    return readFileSync(this.#file('log'), 'utf8');
  }

  async remove(): Promise<void> {
    if (this.#child && this.#child.exitCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await gone;
    }
    this.#folder.remove();
  }

  #file(name: string): string {
    return join(this.#folder.path, name);
  }
}

describe('a machine whose own system is not asked', function () {
  this.timeout(120_000);
  const landlord = new RealConsole('console-cluster');
  const simulator = new Simulator();
  let node: FakeNode;

  before(async () => {
    node = await FakeNode.make();
    landlord.init();
    await landlord.run();
    await simulator.start();
    const card = landlord.file('card.json', JSON.stringify(node.card('node-1', 'ws://127.0.0.1:9')));
    landlord.must('nodes', 'add', card);
  });
  after(async () => {
    await landlord.remove();
    await simulator.remove();
    await node.stop();
  });

  const power = (act: string): ReturnType<RealConsole['cli']> =>
    landlord.cli('hardware', 'power', 'node-1', act, '--out-of-band');

  it('cannot be switched before anybody said how it is reached', () => {
    expect(power('on').err).to.contain('no-controller');
  });

  it('is switched through its management controller (OpenIPMI’s simulator), with a password that rests sealed', async () => {
    const secret = landlord.file('controller-password', `${password}\n`);
    chmodSync(secret, 0o600);
    const at = ['--host', '127.0.0.1', '--port', String(simulator.port), '--user', 'keeper'];
    const set = ['hardware', 'controller', 'set', 'node-1', ...at, '--cipher-suite', '3'];
    landlord.must(...set, '--password-file', secret);
    expect(landlord.must('hardware', 'controller', 'show', 'node-1')).to.not.contain(password);
    await until(() => power('status').status === 0);
    expect(power('status').out).to.contain('Chassis Power is off');
    expect(power('on').status).to.equal(0);
    expect(power('status').out).to.contain('Chassis Power is on');
    expect(power('identify').status).to.equal(0);
    // The simulator's machine has no sensors, and says so without failing.
    expect(power('sensors').status).to.equal(0);
    expect(power('cycle').status).to.equal(0);
    await until(() => /set identify 60[^]*set power 0/.test(simulator.log));
    expect(power('on').status).to.equal(0);
    expect(power('off').status).to.equal(0);
    expect(power('status').out).to.contain('Chassis Power is off');
    expect(simulator.log).to.match(
      /set power 1[^]*set identify 60[^]*set power 0[^]*set power 1[^]*set power 0/,
    );
  });

  it('is refused by its controller under another password, and the refusal says what the controller said', () => {
    const wrong = landlord.file('wrong-password', 'another one\n');
    chmodSync(wrong, 0o600);
    const at = ['--host', '127.0.0.1', '--port', String(simulator.port), '--user', 'keeper'];
    const set = ['hardware', 'controller', 'set', 'node-1', ...at, '--cipher-suite', '3'];
    landlord.must(...set, '--password-file', wrong);
    const refused = power('on');
    expect(refused.status).to.equal(1);
    expect(refused.err).to.contain('controller-failed');
  });

  it('stands in the audit with who switched it, and the password nowhere', () => {
    const audit = landlord.must('audit', 'list', '--json');
    expect(audit).to.contain('/out-of-band');
    expect(audit + landlord.log).to.not.contain(password);
    expect(existsSync(join(landlord.dir, 'store'))).to.equal(true);
  });

  it('is woken by the packet of its interface', async () => {
    const { magicPacket } = await import('../../console-cluster/hardware/wake.js');
    expect(magicPacket('52:54:00:12:34:56').toString('hex')).to.equal(
      `ffffffffffff${'525400123456'.repeat(16)}`,
    );
    landlord.must(
      'hardware',
      'controller',
      'set',
      'node-1',
      '--mac',
      '52:54:00:12:34:56',
      '--broadcast',
      '127.255.255.255',
    );
    const heard = createSocket({ type: 'udp4', reuseAddr: true });
    const first = once(heard, 'message') as Promise<[Buffer]>;
    await new Promise<void>((resolve) => heard.bind(9, '127.255.255.255', resolve));
    landlord.must('hardware', 'wake', 'node-1');
    expect((await first)[0]).to.deep.equal(magicPacket('52:54:00:12:34:56'));
    heard.close();
  });
});
