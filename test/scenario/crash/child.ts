import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { openHeart } from '../../../bmonitor/node/heart.js';
import type { RootStore } from '../../../bmonitor/ports/root-store.js';
import type { Store } from '../../../bmonitor/ports/store.js';
import { makeLog } from '../../../protocol/log.js';
import { ok } from '../../../protocol/result.js';
import type { Command } from '../../../protocol/commands.js';
import { FakeDirectories } from '../../fakes/machine/directories.js';
import { FakeClock } from '../../fakes/machine/machine.js';
import { give } from '../../fakes/machine/world.js';
import { Power } from '../../fakes/machine/power.js';
import { value } from '../../fakes/results.js';

/** A node on the real store, whose process kills itself at the n-th place at which it writes. It says when the command is acknowledged. */
const [folder = '', by = '', command = '{}', jti = '', countdown = '0'] = process.argv.slice(2);
let left = Number(countdown);

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
  create: () => file.create(),
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
const heart = value(
  await openHeart({
    directories: new FakeDirectories().open(),
    store,
    roots,
    clock: new FakeClock(),
    log,
    enforce,
  }),
);
await heart.core.start();
const running = { ...heart, power: new Power() };
const answer = await give(running, { by, command: JSON.parse(command) as Command, jti });
process.stdout.write(answer.ok ? 'acknowledged\n' : `refused ${answer.refusal.code}\n`);
await heart.jobs.stop();
await heart.core.close();
