import { openHeart, type Heart } from '../../../bmonitor/node/heart.js';
import { firstState } from '../../../bmonitor/node/first-state.js';
import { Journal } from '../../../bmonitor/node/journal.js';
import type { NodeState } from '../../../bmonitor/node/state.js';
import type { Clock } from '../../../bmonitor/ports/clock.js';
import type { Log } from '../../../protocol/log.js';
import { newId } from '../../../protocol/request.js';
import { ok, type Result } from '../../../protocol/result.js';
import { value } from '../results.js';
import { noPower } from '../no-power.js';
import { FakeDirectories } from './directories.js';
import { FakeDisk } from './disk.js';
import { pairs } from './pairs.js';
import { Power, type Stop } from './power.js';
import { member } from './principals.js';
import { FakeChip } from './roots.js';

/** Where every machine begins: some day in 2027. */
const born_ms = 1_800_000_000_000;

export class FakeClock implements Clock {
  #wall = born_ms;
  #sinceBoot = 1_000_000;

  wall(): number {
    return this.#wall;
  }

  sinceBoot(): number {
    return this.#sinceBoot;
  }

  /** Time passes, and both clocks go on. */
  pass(seconds: number): void {
    this.#wall += seconds * 1000;
    this.#sinceBoot += seconds * 1000;
  }

  /** Somebody sets the wall clock. */
  set(seconds: number): void {
    this.#wall += seconds * 1000;
  }

  copy(): FakeClock {
    const copied = new FakeClock();
    copied.#wall = this.#wall;
    copied.#sinceBoot = this.#sinceBoot;
    return copied;
  }
}

function neverMade(): never {
  throw new Error('ten pairs were asked for');
}

/** One start of the node. */
export interface Running extends Heart {
  readonly power: Power;
}

/** A server with the real heart of the node in it, on a disk and a chip that lose their power when a test says so. */
export class Machine {
  disk: FakeDisk;
  chip: FakeChip;
  readonly clock: FakeClock;
  directories: FakeDirectories;
  /** What the kernel was last told to enforce. */
  enforced: NodeState | undefined;
  /** What engines were last told to match, and the leases whose engines were last ended before a change. */
  wanted: NodeState | undefined;
  halted: ReadonlySet<string> = new Set();

  /** How often it was told to go down. */
  switched = 0;
  /** Folders of engines that were destroyed, by the digests of their names. */
  readonly removed = new Set<string>();

  private constructor(disk: FakeDisk, chip: FakeChip, clock: FakeClock, directories: FakeDirectories) {
    this.directories = directories;
    this.disk = disk;
    this.chip = chip;
    this.clock = clock;
  }

  /** A new node, with the landlord's consoles `landlord.admin`, `landlord.operator` and `landlord.developer`. */
  static async make(): Promise<Machine> {
    const machine = new Machine(new FakeDisk(), new FakeChip(), new FakeClock(), new FakeDirectories());
    const [tls, own, ...spare] = await pairs(7);
    if (!tls || !own) throw new Error('there are seven');
    const first = firstState({
      name: 'node-1',
      landlord: [
        member('landlord', 'administrator'),
        member('landlord', 'operator'),
        member('landlord', 'developer'),
      ],
      lease: newId(),
      tls,
      pairs: [own, ...spare],
      now_s: machine.clock.wall() / 1000,
    });
    const journal = value(await Journal.create(machine.disk.open(), machine.chip.open(), first, 2048));
    await journal.close();
    return machine;
  }

  /** Everything at this moment, to try something out on. */
  copy(): Machine {
    return new Machine(this.disk.copy(), this.chip.copy(), this.clock.copy(), this.directories.copy());
  }

  /** Undefined when the power went away while it started. */
  async start(stop?: Stop): Promise<Result<Running> | undefined> {
    const power = new Power(stop);
    const started = this.#start(power);
    return Promise.race([started, power.stopped.then(() => undefined)]);
  }

  /** For a start that nothing disturbs. */
  async startWell(): Promise<Running> {
    const started = await this.start();
    if (!started) throw new Error('nothing stops this start');
    return value(started);
  }

  async #start(power: Power): Promise<Result<Running>> {
    const heart = await openHeart({
      makeBootPair: async () => (await pairs(10))[9] ?? neverMade(),
      store: this.disk.open(power),
      directories: this.directories.open(power),
      roots: this.chip.open(power),
      clock: this.clock,
      log: silent,
      filters: {
        enforce: async (state) => {
          await power.point('before effect enforce-filters');
          this.enforced = state;
          await power.point('after effect enforce-filters');
          return ok(undefined);
        },
      },
      power: {
        ...noPower,
        act: async () => {
          await power.point('before the machine is switched');
          this.switched += 1;
          return ok('done');
        },
      },
      engines: () => ({
        run: async (state) => {
          await power.point('before effect run-engines');
          this.wanted = state;
          await power.point('after effect run-engines');
          return ok(undefined);
        },
        removeFolder: async (_, digest) => {
          await power.point('before effect remove-folder');
          this.removed.add(digest);
          await power.point('after effect remove-folder');
          return ok(undefined);
        },
        halt: async (leases) => {
          await power.point('before halt');
          this.halted = leases;
          await power.point('after halt');
          return ok(undefined);
        },
      }),
    });
    if (!heart.ok) return heart;
    await heart.value.core.start();
    return ok({ ...heart.value, power });
  }
}

const silent: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, with: () => silent };

function quiet(): void {}

/** Long commands go on in the background: waits until none does, or the machine stopped. */
export async function settled(running: Running): Promise<void> {
  const busy = (): boolean => running.core.state.jobs.some((job) => job.state === 'running');
  while (!running.power.off && running.core.fault === undefined && busy())
    await new Promise((resolve) => setImmediate(resolve));
  // Whatever its end still does in its turn.
  const turn = running.core.actByItself('nothing', () => undefined);
  await Promise.race([turn, running.power.stopped]);
}
