import { noPower } from '../../fakes/no-power.js';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { withoutEngines } from '../../../bmonitor/node/engines.js';
import { openHeart } from '../../../bmonitor/node/heart.js';
import type { RootStore } from '../../../bmonitor/ports/root-store.js';
import type { Store } from '../../../bmonitor/ports/store.js';
import { makePair } from '../../../crypto/rsa.js';
import { makeLog } from '../../../protocol/log.js';
import { ok } from '../../../protocol/result.js';
import { isCommandType } from '../../../protocol/commands.js';
import { FakeDirectories } from '../../fakes/machine/directories.js';
import { FakeClock } from '../../fakes/machine/machine.js';
import { give } from '../../fakes/machine/world.js';
import { Power } from '../../fakes/machine/power.js';
import { value } from '../../fakes/results.js';
import { samples } from '../../fakes/samples.js';

/**
 * A node on the real store, whose process kills itself at the n-th place at which it writes after its start. It says what it is asked, as one that
 * asks must say it to this very start, and when that is acknowledged.
 */
const [folder = '', type = '', countdown = '0'] = process.argv.slice(2);
const [sample] = (isCommandType(type) ? samples[type] : undefined) ?? [];
if (!sample) throw new Error(`there is no sample of ${type}`);
let left = 0;

function place(): void {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

const real = value(await openLevelStore(`${folder}/store`));
const store: Store = {
  get: (key) => real.get(key),
  entries: (prefix, options) => real.entries(prefix, options),
  close: () => real.close(),
  async batch(ops) {
    place();
    const written = real.batch(ops);
    place();
    await written;
    place();
  },
};
const file = new FileRootStore(folder);
const roots: RootStore = {
  kind: 'file',
  exists: () => file.exists(),
  create: (bits) => file.create(bits),
  allow: () => file.allow(),
  load: () => file.load(),
  async replaceG(next) {
    place();
    const replaced = file.replaceG(next);
    place();
    const done = await replaced;
    place();
    return done;
  },
};
const log = makeLog(() => {}, { level: 'error', now: () => new Date() });
const enforce = () => Promise.resolve(ok(undefined));
const clock = new FakeClock();
const makeBootPair = () => makePair(2048);
const heart = value(
  await openHeart({
    directories: new FakeDirectories().open(),
    store,
    roots,
    clock,
    log,
    filters: { enforce },
    engines: () => withoutEngines,
    power: noPower,
    makeBootPair,
  }),
);
// What waits to be gone on with waits until the command was given: it shall not be over before.
const running = { ...heart, power: new Power() };
const asked = await sample.ask(running, { clock });
process.stdout.write(`${JSON.stringify(asked)}\n`);
left = Number(countdown);
const answer = await give(running, asked);
process.stdout.write(answer.ok ? 'acknowledged\n' : `refused ${answer.refusal.code}\n`);
await heart.jobs.stop();
await heart.core.close();
