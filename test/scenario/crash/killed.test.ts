import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { sealIdentity } from '../../../bmonitor/host/root-store-file.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { authority } from '../../../bmonitor/authority/table.js';
import { commandTypes } from '../../../protocol/commands.js';
import { settled, type Machine } from '../../fakes/machine/machine.js';
import { unsoundness } from '../../fakes/machine/sound.js';
import { give, world, type Asked } from '../../fakes/machine/world.js';
import { Secret } from '../../../crypto/secret.js';
import { value } from '../../fakes/results.js';
import { samples, type Sample } from '../../fakes/samples.js';

/** Each place is one before, within or after a write: those within are where a real store could tear. */
const [firstPlace, placesApart] = [2, 3];
const child = fileURLToPath(new URL('child.js', import.meta.url));

describe('a process that is killed while it writes, on the real store', function () {
  this.timeout(300_000);
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'bmonitor-killed-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  // What is measured at boot is approved on a TPM only; here the secrets rest in a file.
  const here = commandTypes.filter((one) => authority[one].changes && !one.startsWith('measurement.'));
  for (const type of here)
    it(`loses nothing that was acknowledged, and keeps no half: ${type}`, async () => {
      const [sample] = samples[type] ?? [];
      if (!sample) return expect.fail(`no sample of ${type}`);
      let kills = 0;
      for (let at = firstPlace; ; at += placesApart) {
        const machine = await prepared(sample);
        const path = await mkdtemp(join(folder, `${type}-`));
        await layDown(machine, path);
        const said = await run([child, path, type, String(at)]);
        await pickUp(machine, path);
        await comesBack(machine, sample, said, `killed at ${at}`);
        if (!said.killed) break;
        kills += 1;
      }
      expect(kills).to.be.greaterThan(0);
    });
});

async function prepared({ base, prepare }: Sample): Promise<Machine> {
  const machine = await world(base);
  const running = await machine.startWell();
  await prepare?.(running, machine);
  if (!running.power.off) await running.core.close();
  return machine;
}

/** The console sends the command again, as it does when no answer came. */
async function comesBack(
  machine: Machine,
  { passing }: Sample,
  { asked, acknowledged }: Said,
  where: string,
): Promise<void> {
  const running = await machine.startWell();
  expect(await unsoundness(running, machine), where).to.deep.equal([]);
  // Who ended its own lease, or was taken out by its own command, has nobody left to ask again.
  if (running.core.state.levels.every((level) => level.roster.every((one) => one.name !== asked.by))) return;
  const repeated = await give(running, asked);
  if (repeated.ok) {
    if (acknowledged) expect(repeated.value.again, `${where}: acknowledged, and lost`).to.equal(true);
    await settled(running);
    const third = await give(running, asked);
    // Who gave everything away by it is not asked any more.
    if (third.ok) expect(third.value, where).to.deep.equal({ result: repeated.value.result, again: true });
    else expect(third.refusal.code, where).to.equal('unknown-console');
  } else if (repeated.refusal.code === 'shares-outstanding') {
    // It acted, and what it answered waits for its share.
    expect(
      running.core.state.levels.some(({ shared }) => shared),
      where,
    ).to.equal(true);
  } else expect([passing, acknowledged], `${where}: ${repeated.refusal.code}`).to.deep.equal([true, false]);
  expect(await unsoundness(running, machine), `${where}, and again`).to.deep.equal([]);
}

interface Said {
  readonly asked: Asked;
  readonly killed: boolean;
  readonly acknowledged: boolean;
}

async function run(args: readonly string[]): Promise<Said> {
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  started.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(started, 'close')) as [number | null, string | null];
  if (code !== 0 && signal !== 'SIGKILL')
    throw new Error(`the child ended with ${code} ${signal}: ${output}`);
  const [first = '', then] = output.split('\n');
  const asked = JSON.parse(first) as Asked;
  return { asked, killed: signal === 'SIGKILL', acknowledged: then === 'acknowledged' };
}

/** The machine's disk and chip as real files. */
async function layDown(machine: Machine, path: string): Promise<void> {
  const store = value(await openLevelStore(join(path, 'store')));
  const ops = machine.disk.keys().map((key) => {
    return { type: 'put' as const, key, value: machine.disk.valueAt(key) ?? new Uint8Array() };
  });
  await store.batch(ops);
  await store.close();
  const { chip } = machine;
  await writeFile(join(path, 'root.secret'), chip.bytes(), { mode: 0o600 });
  const root = Secret.take(chip.bytes().slice(0, 32));
  await writeFile(join(path, 'identity.sealed'), sealIdentity(root, chip.identity), { mode: 0o600 });
}

/** And back again, after the process is gone. */
async function pickUp(machine: Machine, path: string): Promise<void> {
  const store = value(await openLevelStore(join(path, 'store')));
  const found: (readonly [string, Uint8Array])[] = [];
  for await (const entry of store.entries('')) found.push(entry);
  await store.close();
  machine.disk.tamper((entries) => {
    entries.clear();
    for (const [key, bytes] of found) entries.set(key, bytes);
  });
  machine.chip.put(await readFile(join(path, 'root.secret')));
}
