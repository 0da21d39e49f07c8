import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { captureOfOne } from '../../fakes/capture.js';
import { Bed, distPath, until, type BedProcess, type Place } from '../bed/index.js';

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

describe('a landlord’s console that commands a node from an address that filters can close', () => {
  let bed: Bed;
  let place: Place;
  let office: Place;
  let stranger: Place;
  let dir: string;
  let folder: string;
  let daemon: BedProcess;
  const program = [process.execPath, distPath('console-cluster/cli/index.js')];
  const cli = [process.execPath, distPath('bmonitor/cli/index.js')];

  /** The console at one of its places: its files stay the same. */
  const ran = async (at: Place, ...args: readonly string[]): Promise<Ran> => {
    const { code, stdout, stderr } = await at.run([...program, '--dir', dir, ...args]);
    return { code, out: stdout, err: stderr };
  };
  const must = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await ran(office, ...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`);
    return out;
  };
  const runAt = async (at: Place): Promise<void> => {
    const words = ['--dir', dir, 'run', '--passphrase-file', join(folder, 'passphrase')];
    daemon = at.spawn([...program, ...words]);
    await daemon.says(/"event":"listening"/);
  };
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, JSON.stringify(content));
    return path;
  };
  const set = (name: string, ...filters: readonly object[]): Promise<string> =>
    file(name, { otherwise: 'deny', filters });
  const fromOffice = (ports: readonly number[]): object => ({
    action: 'allow',
    direction: 'in',
    peers: [office.ipv4],
    protocol: 'tcp',
    ports,
  });
  const statusOf = async (): Promise<{ version: number; pending?: object }> => {
    const text = await must('nodes', 'status', 'node-1', '--json');
    return (JSON.parse(text) as { filters: { version: number; pending?: object } }).filters;
  };
  const reaches = async (port: number, from = office): Promise<boolean> =>
    (await from.tryTcp({ to: place.ipv4, port })) === 'answered';
  const isReached = (): Promise<boolean> =>
    statusOf().then(
      () => true,
      () => false,
    );

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'office', 'stranger'] });
    [place, office, stranger] = [bed.place('node'), bed.place('office'), bed.place('stranger')];
    folder = await bed.console.dir();
    dir = join(folder, 'console');
    await writeFile(join(folder, 'passphrase'), 'four random words\n', { mode: 0o600 });
    const key = ['--key-bits', '2048', '--passphrase-file', join(folder, 'passphrase')];
    const made = await ran(bed.console, 'init', '--name', 'facility', '--api-port', '0', ...key);
    expect(made.code, made.err).to.equal(0);
    const home = join(await place.dir(), 'node');
    const named = ['--landlord', join(dir, 'console.pub.json'), '--name', 'node-1', '--keys', 'file'];
    const net = [
      '--interface',
      place.nic,
      '--address',
      place.ipv4,
      place.ipv6,
      '--console',
      bed.console.ipv4,
    ];
    const at = ['--listen', `${place.ipv4}:7443`, '--url', `wss://${place.ipv4}:7443`, '--key-bits', '2048'];
    await place.must([...cli, 'init', '--dir', home, ...named, ...net, ...at]);
    await place.spawn([...cli, 'run', '--dir', home]).says(/"event":"node.ready"/);
    for (const port of [80, 81]) await place.listenTcp({ port });
    // From where no filter can close the way, it is allowed that from which one can.
    await runAt(bed.console);
    const added = await ran(bed.console, 'nodes', 'add', join(home, 'card-0.json'));
    expect(added.code, added.err).to.equal(0);
    const open = await set('open.json', fromOffice([7443, 80, 81]));
    await until(async () => (await ran(bed.console, 'filters', 'apply', 'node-1', open)).code === 0);
    await daemon.kill();
    await runAt(office);
    await until(isReached);
  });
  after(() => bed.remove());

  it('is cut by its own change, and has its way back, and nothing else, when nobody confirms that', async () => {
    const before = (await statusOf()).version;
    const cutting = await set('cutting.json', fromOffice([80]));
    // It cannot hear the answer.
    const asked = ran(office, 'filters', 'apply', 'node-1', cutting, '--confirm-within', '20');
    await until(async () => !(await reaches(7443)), { what: 'the console cut off' });
    expect(await reaches(80)).to.equal(true);
    await asked;
    await until(async () => (await isReached()) && (await statusOf()).version === before + 2, {
      bound_ms: 90_000,
    });
    expect((await statusOf()).pending).to.equal(undefined);
    expect(await reaches(7443)).to.equal(true);
    expect(await reaches(81), 'what the change closed besides').to.equal(false);
    const shown = JSON.parse(await must('filters', 'show', 'node-1', '--json')) as { restored: object };
    expect(shown.restored).to.deep.equal({ peer: office.ipv4, port: 7443 });
    await until(async () => (await must('nodes', 'events', 'node-1')).includes('filters.undone'));
  });

  it('keeps what it confirms, and takes back at once what it does not want', async () => {
    const narrow = await set('narrow.json', fromOffice([7443]));
    const said = JSON.parse(
      await must('filters', 'apply', 'node-1', narrow, '--confirm-within', '600', '--json'),
    ) as { version: number; undoAt: number };
    expect(await reaches(80)).to.equal(false);
    expect(await must('filters', 'show', 'node-1', '--json')).to.not.include('restored');
    const other = await ran(office, 'filters', 'apply', 'node-1', narrow);
    expect(other.err).to.match(/^change-pending: /u);
    await must('filters', 'undo', 'node-1', String(said.version));
    expect(await reaches(80)).to.equal(true);
    const again = JSON.parse(
      await must('filters', 'apply', 'node-1', narrow, '--confirm-within', '600', '--json'),
    ) as { version: number };
    await must('filters', 'confirm', 'node-1', String(again.version));
    expect((await statusOf()).pending).to.equal(undefined);
    expect(await reaches(80)).to.equal(false);
  });

  it('tries a set on a capture, packet by packet, before it is applied anywhere', async () => {
    const capture = join(folder, 'seen.pcap');
    const tried = async (port: number): Promise<string> => {
      await writeFile(capture, captureOfOne(office.ipv4, place.ipv4, port));
      const wanted = await set('tried.json', fromOffice([443]));
      return must('filters', 'try', wanted, 'node-1', '--capture', capture);
    };
    expect(await tried(443)).to.match(/^1 {2}pass {2}/u);
    expect(await tried(444)).to.match(/^1 {2}drop {2}/u);
  });

  it('adds and removes single filters, and sees what each did', async () => {
    const web = await file('web.json', { ...fromOffice([80]), note: 'web' });
    expect(await must('filters', 'add', 'node-1', web)).to.include('2 filters');
    expect(await reaches(80)).to.equal(true);
    await until(async () =>
      /^1 +[1-9]\d* connections judged/mu.test(await must('filters', 'counters', 'node-1')),
    );
    expect(await reaches(80, stranger)).to.equal(false);
    const counted = JSON.parse(await must('filters', 'counters', 'node-1', '--json')) as {
      refused: Record<string, number>;
    };
    expect(counted.refused['level 0']).to.be.greaterThan(0);
    expect(await must('filters', 'remove', 'node-1', '1')).to.include('1 filters');
    expect(await reaches(80)).to.equal(false);
    expect((await ran(office, 'filters', 'remove', 'node-1', '7')).err).to.match(/^bad-input: /u);
  });

  it('has the node send probes that are all refused', async () => {
    const { code, out } = await ran(office, 'filters', 'probe', 'node-1');
    expect(out).to.include('refused').and.not.include('GOT OUT');
    expect(code, out).to.equal(0);
  });

  it('quarantines the node, which then only its configured consoles reach, and lifts that', async () => {
    await daemon.kill();
    await runAt(bed.console);
    const atHome = async (...args: readonly string[]): Promise<string> => {
      const { code, out, err } = await ran(bed.console, ...args);
      if (code !== 0) throw new Error(err);
      return out;
    };
    await until(async () => (await ran(bed.console, 'nodes', 'status', 'node-1', '--json')).code === 0);
    expect(await reaches(7443)).to.equal(true);
    await atHome('quarantine', 'on', 'node-1', '--reason', 'it attacks others');
    expect(await reaches(7443)).to.equal(false);
    expect(await atHome('nodes', 'status', 'node-1', '--json')).to.include('it attacks others');
    await atHome('quarantine', 'off', 'node-1');
    expect(await reaches(7443)).to.equal(true);
  });

  it('moves the ways that no filter can close, and has them back when nobody confirms that', async () => {
    const closed = await set('closed.json', { action: 'deny' });
    const atHome = (...args: readonly string[]): Promise<Ran> => ran(bed.console, ...args);
    const back = async (): Promise<boolean> =>
      (await atHome('nodes', 'status', 'node-1', '--json')).code === 0;
    expect((await atHome('filters', 'apply', 'node-1', closed)).code).to.equal(0);
    expect(await reaches(7443)).to.equal(false);
    // A wrong address: who asks is cut off, and cannot confirm.
    const wrong = atHome('ways', 'set', 'node-1', '10.77.0.250', '--confirm-within', '20');
    await until(async () => !(await reaches(7443, bed.console)), { what: 'the console cut off' });
    await wrong;
    await until(back, { bound_ms: 90_000 });
    expect(await reaches(7443)).to.equal(false);
    const set2 = await atHome('ways', 'set', 'node-1', bed.console.ipv4, office.ipv4);
    expect(set2.code, set2.err).to.equal(0);
    expect((await atHome('ways', 'confirm', 'node-1')).code).to.equal(0);
    expect(await reaches(7443)).to.equal(true);
    expect(await reaches(80)).to.equal(false);
    const boot = await readFile(join(await place.dir(), 'node', 'boot.nft'), 'utf8');
    expect(boot).to.include(office.ipv4);
    expect((await atHome('ways', 'confirm', 'node-1')).err).to.match(/^nothing-pending: /u);
    expect((await atHome('ways', 'set', 'node-1', 'nowhere')).err).to.match(/^bad-input: /u);
  });
});
