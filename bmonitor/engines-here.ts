import { totalmem } from 'node:os';
import { limits } from '../protocol/limits.js';
import type { Log } from '../protocol/log.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { EngineHealth } from './engines/health.js';
import { MemoryGrants } from './engines/memory.js';
import { Supervisor } from './engines/supervisor.js';
import { Voices } from './engines/voices.js';
import { hostTiming } from './host/clock.js';
import { serveLocalImport } from './host/engines/local-import.js';
import { EnginePorts } from './host/engines/ports.js';
import { openEngines } from './host/engines/open.js';
import { addressesForEngines } from './node/fixed-addresses.js';
import { network6, networkOf, ownAddressesOf, ownedIn, portsIn, usualNetwork } from './node/engine-ways.js';
import { EngineReport } from './node/engine-report.js';
import { noEngines, SupervisedEngines, type Engines } from './node/engines.js';
import type { Config } from './node/config.js';
import type { EnginesStandOn } from './node/heart.js';
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
  /** Of engines: their network, addresses for single ones, and what memory they may have together: absent, what the machine has, less some for the rest of it. */
  readonly config: Config;
  /** Undefined: no filters are enforced on this node, and so its engines have no network. */
  readonly enforced: (() => boolean) | undefined;
}

/** Wires what runs engines on this machine; decides nothing. Where there can be none, it is said why. */
export function makeEngines(
  folder: string,
  on: EnginesStandOn,
  { log, levelOf, config, enforced }: EngineSurroundings,
): MadeEngines {
  const addresses = addressesForEngines(config);
  const { listen: own, engines: { network: given, memory_mb } = {} } = config;
  const ports = new EnginePorts();
  const network = (slot: number): Result<EngineNetwork | undefined> => {
    if (!enforced) return ok(undefined);
    // Before the filters stand in the kernel, nothing that has a network is started.
    return enforced() ? ok(networkOf(slot, given)) : refuse('not-enforced');
  };
  // What engines say is heard from before the first of them is looked at.
  const supervised: { by?: Supervisor; grants?: MemoryGrants } = {};
  const voices = new Voices({
    now: () => Date.now(),
    steady: () => performance.now(),
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
    mayStart: (settings) => {
      // The configuration may have changed since it was described.
      const strange = ownAddressesOf(settings).find((address) => !addresses.has(address));
      return strange === undefined ? ok(undefined) : refuse('address-not-for-engines', strange);
    },
    hasFolder: (lease) => on.directories.has(lease),
    network,
    log,
    voice: voices,
    secretOf: (lease, name) => on.secretOf(lease, name),
    memory: (id, wanted_mb) =>
      supervised.grants?.ask(id, wanted_mb) ?? Promise.resolve(refuse('not-that-way')),
    neighbours: (lease) =>
      (supervised.by?.engines(lease) ?? []).map(({ id, slot, described }) => {
        const place = network(slot);
        // What runs goes by what it was started with.
        const settings = supervised.by?.facts(id)?.running?.settings ?? described.settings;
        return { id, name: described.name, settings, address: place.ok ? place.value?.address : undefined };
      }),
    node: () => on.name(),
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
  const { runner, images, folders, logs, doors, sockets, prober, mailboxes } = host.value;
  const tellOf = (id: string, kind: string, fields: Readonly<Record<string, string | number>>): void => {
    const level = levelOf(supervised.by?.leaseOf(id) ?? '');
    const name = supervised.by?.nameOf(id) ?? '';
    if (level !== undefined) on.events.add({ to: [level], kind, fields: { name, ...fields } });
  };
  const health = new EngineHealth({
    timing: hostTiming,
    steady: () => performance.now(),
    prober,
    beatOf: (id) => voices.facts(id).beatSteady_ms,
    tell: tellOf,
  });
  const supervisor = new Supervisor({
    runner,
    timing: hostTiming,
    health: {
      begin(engine, unwell) {
        health.begin(engine, unwell);
        mailboxes.begin(engine);
      },
      freeze: (id, frozen) => health.freeze(id, frozen),
      end(id) {
        health.end(id);
        mailboxes.end(id);
      },
    },
    renewed: (id, names) => {
      for (const secret of names) sockets.tell(id, { tell: 'secret', name: secret });
    },
    tell: ({ lease, name }, kind, fields) => {
      const level = levelOf(lease);
      if (level !== undefined) on.events.add({ to: [level], kind, fields: { name, ...fields } });
    },
  });
  supervised.by = supervisor;
  const memory_all_mb = memory_mb ?? Math.floor((totalmem() - limits.engine_memory_left_bytes) / 1024 / 1024);
  supervised.grants = new MemoryGrants({
    runner,
    running: () =>
      new Map(
        supervisor.running().flatMap(({ id, settings }) => (settings ? [[id, settings] as const] : [])),
      ),
    all_mb: memory_all_mb,
    tell: (id, fields) => tellOf(id, 'engine.memory', fields),
  });
  const engines = new SupervisedEngines(supervisor, images, folders);
  const listening = serveLocalImport(folder, images);
  void listening.then((served: Result<unknown>) => {
    if (!served.ok) log.warn('engines.no-import', { why: served.refusal.detail });
  });
  return {
    engines,
    report: new EngineReport(
      ok({
        lives: supervisor,
        runner,
        images,
        folders,
        logs,
        doors,
        voices,
        asker: sockets,
        health,
        memory_all_mb,
      }),
    ),
    leadPorts: (state) =>
      ports.apply({
        ports: portsIn(state, given),
        owned: ownedIn(state, given, addresses),
        networks: { 4: given ?? usualNetwork, 6: network6 },
        listen: own.port,
      }),
    tidy: (state) => engines.tidy(state),
    async close() {
      const served = await listening;
      if (served.ok) await served.value();
      health.close();
      await host.value.close();
    },
  };
}
