import type { Log } from '../../protocol/log.js';
import { ok, type Result } from '../../protocol/result.js';
import type { Clock } from '../ports/clock.js';
import type { DirectoryStore } from '../ports/directory-store.js';
import type { MachinePower } from '../ports/power.js';
import type { RootStore } from '../ports/root-store.js';
import type { Store } from '../ports/store.js';
import type { Secret } from '../../crypto/secret.js';
import type { Pair } from '../../crypto/rsa.js';
import { BootKey } from '../keys/boot.js';
import { newId } from '../../protocol/request.js';
import { Core } from './core.js';
import { decideFolderGone } from './decide/engines.js';
import { Directories } from './directories.js';
import type { Engines } from './engines.js';
import { Effects, type Enforcing } from './effects.js';
import { EventLog } from './events.js';
import { HardwareJobs } from './hardware.js';
import { Jobs } from './jobs.js';
import { Journal } from './journal.js';
import { NodeTime } from './time.js';

export interface HeartParts {
  /** Ports on which BMonitor itself listens, as `tcp 7443`. */
  readonly ownPorts?: ReadonlySet<string>;
  /** Addresses of the node that engines may have as their own. */
  readonly engineAddresses?: ReadonlySet<string>;
  readonly store: Store;
  readonly roots: RootStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this start of the node. */
  readonly boot?: string;
  /** Makes the pair of this start. */
  readonly makeBootPair?: () => Promise<Pair>;
  readonly filters: Enforcing;
  /** Where the files of the leases rest, or why there is no such place. */
  readonly directories: Result<DirectoryStore>;
  /** Switches the machine, or what stands for it. */
  readonly power: MachinePower;
  /** Runs engines as the state says; made when there are the events, to which it tells, and the directories, in which engines write. */
  readonly engines: (on: EnginesStandOn) => Engines;
}

export interface EnginesStandOn {
  readonly events: EventLog;
  readonly directories: Directories;
  /** What the node is called now. */
  readonly name: () => string;
  /** Undefined: the lease keeps nothing under this name, or it is locked. */
  readonly secretOf: (lease: string, name: string) => Promise<Secret | undefined>;
}

/** What decides and remembers, put together: the same in the daemon and in the tests that cut its power. */
export interface Heart {
  readonly journal: Journal;
  readonly events: EventLog;
  readonly time: NodeTime;
  readonly core: Core;
  readonly jobs: Jobs;
  readonly directories: Directories;
}

/** Reads what the node remembers. Nothing runs before `core.start()`. */
export async function openHeart(parts: HeartParts): Promise<Result<Heart>> {
  const { store, roots, clock, log, filters } = parts;
  const boot = new BootKey(parts.boot ?? newId(), parts.makeBootPair);
  const opened = await Journal.open(store, roots);
  if (!opened.ok) return opened;
  const journal = opened.value;
  const events = new EventLog(store, journal);
  await events.load(journal.state);
  const time = new NodeTime(clock, journal.state.timeFloor_s);
  const directories = new Directories({ store: parts.directories, now: () => journal });
  const engines = parts.engines({
    events,
    directories,
    name: () => journal.state.name,
    secretOf: (lease, name) => journal.secret(lease, name),
  });
  const effects = new Effects(filters, directories, engines, (measurement) => roots.allow(measurement));
  const core = new Core(
    {
      journal,
      events,
      effects,
      keyStore: roots.kind,
      boot,
      log,
      ownPorts: parts.ownPorts ?? new Set(),
      engineAddresses: parts.engineAddresses ?? new Set(),
    },
    time,
  );
  const hardware = new HardwareJobs(
    parts.power,
    (grace_s) => effects.rest(grace_s, journal.state),
    () => time.now_s(),
  );
  const jobs = new Jobs({ core, journal, hardware, directories, log });
  effects.jobs = jobs;
  effects.folderGone = (lease, folder) =>
    void core.actByItself('folder.gone', (state) => decideFolderGone(state, lease, folder));
  events.onWaiting = () => void core.flushEvents();
  return ok({ journal, events, time, core, jobs, directories });
}
