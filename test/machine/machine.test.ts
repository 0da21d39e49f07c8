import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { makePair, type Pair, type PublicJwk } from '../../crypto/rsa.js';
import type { SubjectHealth } from '../../bmonitor/ports/health.js';
import type { Command } from '../../protocol/commands.js';
import { until } from '../fakes/until.js';
import { addressee, ordinaryRights, rent, rosterOf, type Tenancy } from '../scenario/tenancy.js';
import { layCable, takeCableAway } from './cable.js';
import { changeUntilGone, type Given } from './changes.js';
import { Computer } from './computer.js';
import { GuestEngines } from './engines.js';
import { Flood } from './flood.js';
import { Resident } from './resident.js';

/** One story: each part goes on where the one before ended, because a start costs half a minute under emulation, and no part has one of its own. */
describe('a machine with the package installed', function () {
  this.timeout(900_000);
  this.bail(true);
  let folder: string;
  let computer: Computer;
  let cable: string;
  let flood: Flood;
  let node: Resident;
  let made: Resident | undefined;
  let tenant: Tenancy;
  let engines: GuestEngines;
  let subtenant: Pair;
  let older: Computer;
  let registers: Readonly<Record<string, string>>;
  const others: Computer[] = [];

  before(async () => {
    const image = process.env['BMONITOR_MACHINE'];
    if (image === undefined) throw new Error('npm run test:machine makes the machine first');
    folder = await mkdtemp(join(tmpdir(), 'bmonitor-machine-'));
    cable = layCable();
    computer = await Computer.make(image, join(folder, 'first'));
    flood = await Flood.start(cable);
    subtenant = await makePair(2048);
  });
  after(async () => {
    flood.stop();
    made?.close();
    for (const one of [computer, ...others]) await one.remove();
    takeCableAway();
    await rm(folder, { recursive: true, force: true });
  });

  async function silent(what: string): Promise<void> {
    const { sent, answers } = await flood.answered();
    expect(answers, what).to.deep.equal({});
    expect(sent, what).to.be.greaterThan(0);
  }

  async function answers(): Promise<void> {
    await flood.answered();
    await until(async () => {
      await pause(50);
      return Object.keys((await flood.answered()).answers).length > 0;
    }, 120_000);
  }

  it('is open before it is a node, and measured as the package says', async () => {
    await computer.powerOn({ cable });
    await computer.must('until ip -4 -br address show dev eth0 | grep -q 10.77.0.7; do sleep 0.5; done');
    await answers();
    const said = await computer.must('bmonitor-measurement');
    const [, expected] = /^register (\w{64})$/m.exec(said) ?? [];
    const [, now] = /^now +(\w{64})$/m.exec(said) ?? [];
    expect(now, said).to.equal(expected).and.not.equal(undefined);
  });

  it('is looked over by the doctor, who finds what this machine has, lacks and is weak in', async () => {
    const found = JSON.parse(await computer.must('bmonitor doctor --json')) as readonly {
      readonly what: string;
      readonly verdict: string;
    }[];
    const verdicts = Object.fromEntries(found.map(({ what, verdict }) => [what, verdict]));
    expect(verdicts).to.include({ nftables: 'ok', tools: 'ok', TPM: 'ok', cgroups: 'ok', swap: 'ok' });
    expect(verdicts).to.include({
      watchdog: 'ok',
      'measured boot': 'ok',
      'secure boot': 'weak',
      IPMI: 'ok',
    });
    const security = await computer.must('systemd-analyze security --no-pager bmonitor.service | tail -n 1');
    const [, exposure] = /: (\d+\.\d) /.exec(security) ?? [];
    // The more it has the worse it is; docs/install.md says what it has and why.
    expect(Number(exposure), security).to.be.at.most(6.2);
  });

  it('becomes a node with its keys in the TPM, and is closed from then on', async () => {
    made = node = await Resident.make(computer);
    expect(node.card.keyStore).to.equal('tpm');
    await node.answers();
    await flood.answered();
    tenant = await rent(node, { rights: [...ordinaryRights, 'lease'] });
    expect(await node.ask({ type: 'levels.read' })).to.have.nested.property('levels[1].status', 'active');
    await silent('as a node');
  });

  it('runs engines with crun under its unit, bounded by control groups of version 2, and behind closed filters', async () => {
    engines = new GuestEngines(computer, node, tenant);
    await engines.areBounded('crun');
    await engines.areCommanded();
    await silent('with engines');
  });

  const secret = 'what nobody else shall read';
  const data = '/var/lib/bmonitor/data';
  /** As BMonitor sees it, whose mounts nobody else has. */
  const inside = (script: string): string =>
    `nsenter -m -t $(systemctl show -P MainPID bmonitor) sh -c '${script}'`;

  it('keeps the files of a lease in a LUKS volume, where it shall, that no other key opens', async () => {
    // Not where people have their homes: of those the service sees nothing.
    const image = '/srv/files';
    await computer.must(`mkdir -p ${image} && echo ${secret} >${image}/secret.txt`);
    await computer.must(`bmonitor engines import ${image} --lease ${tenant.lease}`);
    await computer.must(`rm -r ${image} && sync`);
    const volume = `${data}/${tenant.lease}.0.luks`;
    expect(await computer.must(`cryptsetup status bmonitor-${tenant.lease}.0`)).to.include('aes-xts-plain64');
    await computer.must(inside(`grep -rq "${secret}" ${data}/${tenant.lease}.0`));
    expect((await computer.run(`grep -q "${secret}" ${volume}`)).code).to.equal(1);
    const other = await computer.run(
      `head -c 32 /dev/urandom | cryptsetup open --test-passphrase --key-file - ${volume}`,
    );
    expect(other.code, other.output).to.equal(2);
  });

  it('tells what its SATA disk says of itself, which the rights of its unit let it ask', async () => {
    let found: Readonly<Record<string, string>> = {};
    await until(async () => {
      const { subjects = [] } = await node.ask({ type: 'health.read' });
      const items = (subjects as readonly SubjectHealth[]).flatMap((subject) => subject.items);
      found = Object.fromEntries(items.map(({ item, state, reading }) => [item, `${state}: ${reading}`]));
      return found['sda SMART'] !== undefined;
    }, 300_000);
    expect(found).to.include({
      'sda SMART': 'good: passed',
      'write and read back': 'good: the same bytes came back',
    });
  });

  it('stays closed while the package is updated to the next version, keeps its state, and learns from all levels what it will measure then', async () => {
    const before = await engines.shown('greedy');
    const started = await computer.must('systemctl show -p ExecMainPID bmonitor');
    const version = (await computer.must('bmonitor --version')).trim();
    await computer.must('apt-get install -q -y /root/bmonitor-next.deb');
    expect(await computer.must('systemctl show -p ExecMainPID bmonitor')).to.not.equal(started);
    expect((await computer.must('bmonitor --version')).trim()).to.equal(`${version}+next`);
    await node.answers();
    await silent('during an update');
    expect(await node.ask({ type: 'levels.read' })).to.have.nested.property('levels[1].status', 'active');
    // Engines do not notice.
    expect(await engines.shown('greedy')).to.include({ state: 'running', since_ms: before.since_ms });
    await engines.remove('greedy', 'hungry');
    const said = await computer.must('bmonitor-measurement');
    const [, digest = ''] = /^approve +(\S+)$/m.exec(said) ?? [];
    await node.ask({ type: 'measurement.approve', digest });
    await node.ask({ type: 'measurement.approve', digest }, tenant);
    const read = await node.ask({ type: 'measurement.read' });
    expect(read, said).to.have.nested.property('approval.inForce', true);
    expect(read).to.have.nested.property('approval.digest', digest);
  });

  it('stays closed when BMonitor is stopped, and cannot lose its package without an explicit act', async () => {
    await computer.must('systemctl stop bmonitor bmonitor-closed');
    for (const act of ['remove', 'purge']) {
      const { code, output } = await computer.run(`apt-get ${act} -q -y bmonitor`);
      expect(code, output).to.not.equal(0);
      expect(output).to.include('bmonitor-open --yes-open-this-machine');
    }
    expect((await computer.run('bmonitor-open')).code).to.equal(2);
    await silent('stopped');
    await computer.must('mv /usr/bin/crun /root/crun && systemctl start bmonitor-closed bmonitor');
    await node.answers();
  });

  it('runs engines with runc where there is no crun, bounded just so', async () => {
    await engines.areBounded('runc');
    await engines.remove('greedy');
  });

  it('reboots by command, tells its tenant why, starts closed from the first link-up on, and opens its secrets again', async () => {
    await computer.startsAnew(() => node.ask({ type: 'hardware.reboot', reason: 'a new kernel' }));
    await node.answers();
    await silent('during a start');
    expect(await node.ask({ type: 'levels.read' })).to.have.nested.property('levels[1].status', 'active');
    await done('hardware.reboot');
    const told = (await node.told(tenant)).filter(({ kind }) => kind === 'hardware.announced');
    expect(told.at(-1)).to.include({ act: 'reboot', reason: 'a new kernel' });
  });

  it('sleeps by command, wakes with everything as it was, and is closed in between and after', async () => {
    const started = await computer.must('systemctl show -p ExecMainPID bmonitor');
    await node.ask({ type: 'hardware.suspend' });
    await computer.asleep();
    await silent('asleep');
    await computer.wake();
    await node.answers();
    expect(await computer.must('systemctl show -p ExecMainPID bmonitor')).to.equal(started);
    await done('hardware.suspend');
    await silent('awake');
  });

  it('is started anew by its watchdog when its system hangs, closed, with its secrets', async () => {
    await computer.startsAnew(() => computer.run('kill -SEGV 1'));
    await node.answers();
    await silent('after the watchdog');
    expect(await node.ask({ type: 'levels.read' })).to.have.nested.property('levels[1].status', 'active');
  });

  /** The last command of this kind came to its end. */
  async function done(kind: string, from?: Parameters<Resident['ask']>[1]): Promise<void> {
    await until(async () => {
      const { jobs } = await node.ask({ type: 'jobs.read' }, from);
      const last = (jobs as readonly { kind: string; state: string }[]).findLast((job) => job.kind === kind);
      return last?.state === 'done';
    }, 240_000);
  }

  interface Standing {
    readonly version: number;
    readonly ports: string;
    /** The lease of the level below the tenant's. */
    readonly below: string | undefined;
  }

  /** What the two levels see. */
  async function standing(): Promise<Standing> {
    const { version, set } = await node.ask({ type: 'filters.read' });
    const { levels } = await node.ask({ type: 'levels.read' }, tenant);
    const [, , below] = levels as readonly { readonly lease: string }[];
    return { version: Number(version), ports: portsOf(set), below: below?.lease };
  }

  const narrowed = (version: unknown): Command => ({
    type: 'filters.replace',
    expect: Number(version),
    set: {
      otherwise: 'deny',
      filters: [
        { action: 'allow', peers: ['10.77.0.0/24'], protocol: 'tcp', ports: [randomInt(20_000, 60_000)] },
      ],
    },
  });
  /** Each makes and destroys keys, and a salt, and a G. */
  const leaseChanged = (below: unknown): Command =>
    typeof below === 'string'
      ? { type: 'lease.end', lease: below }
      : {
          type: 'lease.grant',
          to: rosterOf(subtenant),
          rights: ['boundaries'],
          until: Math.floor(Date.now() / 1000) + 3600,
        };

  it('loses nothing acknowledged and keeps nothing half when its power is cut in the midst of changes', async () => {
    const before = await standing();
    const [landlords, tenants] = [await node.session(), await node.session(tenant.console)];
    const changing = Promise.all([
      changeUntilGone(landlords, node.to, (last) => narrowed(last?.result?.['version'] ?? before.version)),
      changeUntilGone(tenants, tenant.to, (last) =>
        leaseChanged(last ? last.result?.['lease'] : before.below),
      ),
    ]);
    await pause(randomInt(1000, 9000));
    await computer.cutPower();
    for (const session of [landlords, tenants]) session.close('the power is gone');
    const [filterChanges, leaseChanges] = await changing;
    older = await computer.copy(join(folder, 'older'), 'disk');
    others.push(older);
    await flood.answered();
    await computer.powerOn({ cable });
    await node.answers();
    await silent('after a power cut');
    const now = await standing();
    const story = JSON.stringify({ before, filterChanges, leaseChanges, now }, undefined, 1);
    // The last that was acknowledged, or the one that was under way.
    const possiblePorts = [
      before.ports,
      ...filterChanges.map(({ command }) => portsOf(Reflect.get(command, 'set'))),
    ];
    expect(possiblePorts.slice(-2), story).to.include(now.ports);
    const possibleLeases = [before.below, ...leaseChanges.map(leaseAfter)].slice(-2);
    expect(
      possibleLeases.some((lease) => lease === now.below || (lease === 'new' && now.below !== undefined)),
      story,
    ).to.equal(true);
  });

  it('has the files of the lease after that, and encrypted anew; with the lease their volume goes, and its device', async () => {
    const has = (epoch: number): string => inside(`grep -rq "${secret}" ${data}/${tenant.lease}.${epoch}`);
    await computer.must(has(0));
    const { pair } = (await node.ask(
      { type: 'keys.rotate', level: 1, key: false, data: 'reencrypt' },
      tenant,
    )) as { pair: { jwk: PublicJwk } };
    const under = { ...tenant, to: addressee(1, tenant.lease, pair.jwk) };
    await done('keys.reencrypt', under);
    await computer.must(`until ! test -e ${data}/${tenant.lease}.0.luks; do sleep 0.5; done`);
    await computer.must(has(1));
    await node.ask({ type: 'lease.end', lease: tenant.lease });
    // What opens it in the node's memory and in the TPM is gone with the answer; the kernel is told right after.
    await computer.must(`until test -z "$(ls ${data})"; do sleep 0.5; done`);
    expect(await computer.must('ls /dev/mapper')).to.equal('control\n');
  });

  it('switches itself off by command, and reveals nothing with its disk in another machine, or under another operating system', async () => {
    registers = await computer.registers();
    await node.ask({ type: 'hardware.power-off', reason: 'it is taken away' });
    await computer.off();
    const moved = await computer.copy(join(folder, 'moved'), 'disk');
    const foreign = await computer.copy(join(folder, 'foreign'), 'same');
    others.push(moved, foreign);
    await Promise.all([moved.powerOn(), foreign.powerOn({ system: 'other' })]);
    await refuses(moved, /tpm-(not-the-same|failed|measured-otherwise)/);
    // Nothing but a shell runs there; it has the disk, the TPM and all rights.
    const tried = await foreign.run('bmonitor run --dir /var/lib/bmonitor');
    expect(tried.code).to.equal(1);
    expect(tried.output).to.include('tpm-measured-otherwise');
    await Promise.all([moved.cutPower(), foreign.cutPower()]);
  });

  it('reveals nothing when its BMonitor was altered, or with an older copy of its disk', async () => {
    const altered = await computer.copy(join(folder, 'altered'), 'same');
    others.push(altered);
    await older.takeTpmOf(computer);
    await altered.alter('/usr/lib/bmonitor/dist/bmonitor/version.js');
    await flood.answered();
    await Promise.all([altered.powerOn(), older.powerOn({ cable })]);
    const now = await altered.registers();
    expect(Object.keys(now).filter((number) => now[number] !== registers[number])).to.deep.equal(['13']);
    expect(await older.registers()).to.deep.equal(registers);
    await refuses(altered, /tpm-measured-otherwise/);
    await refuses(older, /no state opens with the secrets of this machine/);
    await silent('dark');
    await altered.cutPower();
  });

  it('is opened, and loses the package, only when somebody says so', async () => {
    expect((await older.run('apt-get purge -q -y bmonitor')).code).to.not.equal(0);
    await older.must('bmonitor-open --yes-open-this-machine');
    await answers();
    await older.must('apt-get purge -q -y bmonitor');
    expect(await older.must('ls /var/lib/bmonitor'))
      .to.include('store')
      .and.include('root.tpm');
    await older.cutPower();
  });

  /** BMonitor does not start, says why, and listens to nobody. */
  async function refuses(dark: Computer, why: RegExp): Promise<void> {
    let said = '';
    await until(async () => {
      said = await dark.must('journalctl -b -u bmonitor -o cat --no-pager');
      return why.test(said) || /node\.ready/.test(said);
    }, 300_000);
    expect(said).to.match(why).and.not.include('node.ready');
    expect(await dark.must('ss -Hltn')).to.not.include(':7443');
    expect((await dark.run('bmonitor status')).code).to.equal(1);
  }
});

function portsOf(set: unknown): string {
  const { filters = [] } = set as { readonly filters?: readonly { readonly ports?: unknown }[] };
  return JSON.stringify(filters[0]?.ports ?? null);
}

/** The lease below after this change; `new` where nobody was told which. */
function leaseAfter({ command, result }: Given): string | undefined {
  if (command.type !== 'lease.grant') return undefined;
  return result === undefined ? 'new' : String(result['lease']);
}
