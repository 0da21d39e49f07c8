import type { Log } from '../protocol/log.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { Supervisor } from './engines/supervisor.js';
import { Voices } from './engines/voices.js';
import { hostTiming } from './host/clock.js';
import { serveLocalImport } from './host/engines/local-import.js';
import { EnginePorts } from './host/engines/ports.js';
import { openEngines } from './host/engines/open.js';
import type { Directories } from './node/directories.js';
import { networkOf, portsIn, usualNetwork } from './node/engine-ways.js';
import { EngineReport } from './node/engine-report.js';
import { noEngines, SupervisedEngines, type Engines } from './node/engines.js';
import type { EventLog } from './node/events.js';
import type { NodeState } from './node/state.js';
import type { EngineNetwork } from './ports/engines.js';

export interface MadeEngines {
  readonly engines: Engines;
  readonly report: EngineReport;
  /** Leads the node's ports to engines. */
  leadPorts(state: NodeState): Promise<Result<void>>;
  /** Images that nobody uses go. */
  tidy(state: NodeState): Promise<void>;
  /** Engines go on: the next BMonitor finds them. */
  close(): Promise<void>;
}

interface EngineSurroundings {
  readonly log: Log;
  readonly levelOf: (lease: string) => number | undefined;
  /** Undefined: no filters are enforced on this node, and so its engines have no network. */
  readonly filters: { readonly enforced: () => boolean; readonly network: string | undefined } | undefined;
}

/** Wires what runs engines on this machine; decides nothing. Where there can be none, it is said why. */
export function makeEngines(
  folder: string,
  on: { readonly events: EventLog; readonly directories: Directories },
  { log, levelOf, filters }: EngineSurroundings,
): MadeEngines {
  const ports = new EnginePorts();
  const network = (slot: number): Result<EngineNetwork | undefined> => {
    if (!filters) return ok(undefined);
    // Before the filters stand in the kernel, nothing that has a network is started.
    return filters.enforced() ? ok(networkOf(slot, filters.network)) : refuse('not-enforced');
  };
  // What engines say is heard from before the first of them is looked at.
  const supervised: { by?: Supervisor } = {};
  const voices = new Voices({
    now: () => Date.now(),
    settingsOf: (id) => supervised.by?.described(id),
    tell: (id, text, count) => {
      const level = levelOf(supervised.by?.leaseOf(id) ?? '');
      const name = supervised.by?.described(id)?.name ?? '';
      if (level !== undefined)
        on.events.add({ to: [level], kind: 'engine.error', fields: { name, text, count } });
    },
  });
  const host = openEngines(folder, {
    folderOf: (lease) => on.directories.need(lease),
    hasFolder: (lease) => on.directories.has(lease),
    network,
    log,
    voice: voices,
  });
  if (!host.ok) {
    log.warn('engines.not-here', { why: host.refusal.detail });
    const nothing = (): Promise<void> => Promise.resolve();
    const leadPorts = (): Promise<Result<void>> => Promise.resolve(ok(undefined));
    return {
      engines: noEngines(host),
      report: new EngineReport(host),
      leadPorts,
      tidy: nothing,
      close: nothing,
    };
  }
  const { runner, images, folders, logs, doors, sockets } = host.value;
  const supervisor = new Supervisor({
    runner,
    timing: hostTiming,
    tell: ({ lease, name }, kind, fields) => {
      const level = levelOf(lease);
      if (level !== undefined) on.events.add({ to: [level], kind, fields: { name, ...fields } });
    },
  });
  supervised.by = supervisor;
  const engines = new SupervisedEngines(supervisor, images, folders);
  const listening = serveLocalImport(folder, images);
  void listening.then((served: Result<unknown>) => {
    if (!served.ok) log.warn('engines.no-import', { why: served.refusal.detail });
  });
  return {
    engines,
    report: new EngineReport(
      ok({ lives: supervisor, runner, images, folders, logs, doors, voices, asker: sockets }),
    ),
    leadPorts: (state) => ports.apply(portsIn(state, filters?.network), filters?.network ?? usualNetwork),
    tidy: (state) => engines.tidy(state),
    async close() {
      const served = await listening;
      if (served.ok) await served.value();
      await runner.close();
    },
  };
}
