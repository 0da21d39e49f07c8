import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import type { CommandType } from '../../../protocol/commands.js';
import { settled, type Machine } from '../../fakes/machine/machine.js';
import { unsoundness } from '../../fakes/machine/sound.js';
import { give, world } from '../../fakes/machine/world.js';
import { value } from '../../fakes/results.js';
import { samples } from '../../fakes/samples.js';

/** Those that write in different ways: without a new G, with one, with keys made, with keys destroyed. */
const tried: readonly CommandType[] = ['filters.replace', 'lease.grant', 'lease.take', 'lease.end'];
const child = fileURLToPath(new URL('child.js', import.meta.url));

describe('a process that is killed while it writes, on the real store', function () {
  this.timeout(300_000);
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'bmonitor-killed-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  for (const type of tried)
    it(`loses nothing that was acknowledged, and keeps no half: ${type}`, async () => {
      const [sample] = samples[type] ?? [];
      if (!sample) return expect.fail(`no sample of ${type}`);
      let kills = 0;
      for (let at = 3; ; at += 3) {
        const machine = await world(sample.base);
        const asked = await sample.ask(await machine.copy().startWell(), machine);
        const path = await mkdtemp(join(folder, `${type}-`));
        await layDown(machine, path);
        const args = [child, path, asked.by, JSON.stringify(asked.command), asked.jti, String(at)];
        const said = await run(args);
        await pickUp(machine, path);
        const running = await machine.startWell();
        expect(await unsoundness(running, machine), `killed at ${at}`).to.deep.equal([]);
        const again = value(await give(running, asked));
        if (said.acknowledged) expect(again.again, `killed at ${at}: acknowledged, and lost`).to.equal(true);
        await settled(running);
        const third = value(await give(running, asked));
        expect(third, `killed at ${at}`).to.deep.equal({ result: again.result, again: true });
        expect(await unsoundness(running, machine), `killed at ${at}, and again`).to.deep.equal([]);
        if (!said.killed) break;
        kills += 1;
      }
      expect(kills).to.be.greaterThan(2);
    });
});

async function run(
  args: readonly string[],
): Promise<{ readonly killed: boolean; readonly acknowledged: boolean }> {
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  started.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(started, 'close')) as [number | null, string | null];
  if (code !== 0 && signal !== 'SIGKILL')
    throw new Error(`the child ended with ${code} ${signal}: ${output}`);
  return { killed: signal === 'SIGKILL', acknowledged: output.includes('acknowledged') };
}

/** The machine's disk and chip as real files. */
async function layDown(machine: Machine, path: string): Promise<void> {
  const store = value(await openLevelStore(join(path, 'store')));
  const ops = machine.disk.keys().map((key) => {
    return { type: 'put' as const, key, value: machine.disk.valueAt(key) ?? new Uint8Array() };
  });
  await store.batch(ops);
  await store.close();
  await writeFile(join(path, 'root.secret'), machine.chip.bytes(), { mode: 0o600 });
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
