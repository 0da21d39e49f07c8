import { existsSync } from 'node:fs';
import { readFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConsoleKey } from '../protocol/commands.js';
import type { PowerAct } from '../protocol/power.js';
import { limits } from '../protocol/limits.js';
import { messageOf, type Log } from '../protocol/log.js';
import type { NodeCard } from '../protocol/node-card.js';
import { newId } from '../protocol/request.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { makePair, rsaBits } from '../crypto/rsa.js';
import { version } from './version.js';
import { addressKeeper, fixedKeeper } from './addresses-here.js';
import { openDirectoryStore } from './host/data/detect.js';
import { dialGateways } from './host/gateway-dial.js';
import { withoutCoreDumps } from '../crypto/no-core-dumps.js';
import { hostCollecting, idleCollection } from './host/idle-collection.js';
import { kernelRelease, wasMeasured } from './host/measured.js';
import { HostPower } from './host/power.js';
import { listen, type Listening } from './host/listen.js';
import { serveLocalStatus, statusSocketOf } from './host/local-status.js';
import { rootStoreOf } from './host/root-store.js';
import { openLevelStore } from './host/store-level.js';
import { writeWhole } from './host/write-whole.js';
import type { DirectoryStore } from './ports/directory-store.js';
import { makeEngines, type MadeEngines } from './engines-here.js';
import { healthWatch } from './health-here.js';
import { openFiltering, writeFirstBootFile } from './filtering-here.js';
import { hostClock, hostTiming } from './host/clock.js';
import type { MachinePower } from './ports/power.js';
import { Answers, type MachineFacts } from './node/answers.js';
import { localFacts } from './node/local-facts.js';
import { ownPortsIn, parseConfig, type Config } from './node/config.js';
import { addressesForEngines, fixedAddresses } from './node/fixed-addresses.js';
import type { Core } from './node/core.js';
import { formatRange } from './filters/address.js';
import { EndingTeller } from './node/ending.js';
import { watchFirewall } from './node/enforcer.js';
import { FilterReport } from './node/filter-report.js';
import { firstState, type FirstState } from './node/first-state.js';
import { Gate } from './node/gate.js';
import { EngineReport } from './node/engine-report.js';
import { openHeart, type Heart } from './node/heart.js';
import { Journal } from './node/journal.js';
import { Nonces } from './node/nonces.js';
import { Notices } from './node/notices.js';
import { RefusalTeller } from './node/refusals.js';
import { Seen } from './node/seen.js';
import { Service } from './node/serve.js';
import { standingWith } from './node/standing.js';

export interface InitOptions {
  readonly folder: string;
  readonly config: Config;
  /** The consoles of the landlord; the first is an administrator. */
  readonly landlord: readonly ConsoleKey[];
  /** How consoles will reach the node, for its card. */
  readonly url: string;
}

/** Makes a node: its keys, its first state, its configuration, and the card for the landlord's console. */
export async function initNode(options: InitOptions): Promise<Result<NodeCard>> {
  const { folder, config } = options;
  const possible = fixedAddresses(config);
  if (!possible.ok) return possible;
  // With registers or a TPM of their own, the machine's keeper says what is measured.
  if (config.keys?.store === 'tpm' && config.keys.tcti === undefined && config.keys.pcrs === undefined) {
    const measured = await wasMeasured();
    if (!measured.ok) return measured;
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const roots = rootStoreOf(folder, config);
  if (await roots.exists())
    return refuse(existsSync(configIn(folder)) ? 'already-initialised' : 'init-unfinished', folder);
  const store = await openLevelStore(join(folder, 'store'));
  if (!store.ok) return store;
  const first = firstState({
    name: config.name,
    landlord: options.landlord,
    lease: newId(),
    now_s: Math.floor(hostClock.wall() / 1000),
    ...(await firstPairs(config)),
  });
  const bits = config.keyBits ?? rsaBits.normal;
  const journal = await Journal.create(store.value, roots, first, bits);
  if (!journal.ok) return journal;
  await journal.value.close();
  await roots.close?.();
  const card = cardOf(journal.value, roots.kind, options.url);
  await writeFile(join(folder, 'card-0.json'), `${JSON.stringify(card, null, 2)}\n`);
  const boot = await writeFirstBootFile(folder, config);
  if (!boot.ok) return boot;
  // The last thing that is written: a folder without it was never a node's.
  await writeWhole(configIn(folder), Buffer.from(`${JSON.stringify(config, null, 2)}\n`));
  return ok(card);
}

async function firstPairs(config: Config): Promise<Pick<FirstState, 'tls' | 'pairs'>> {
  const bits = config.keyBits ?? rsaBits.normal;
  const [tls, own, ...spare] = await Promise.all(
    Array.from({ length: 2 + limits.spare_pairs }, () => makePair(bits)),
  );
  if (!tls || !own) throw new Error('two pairs were made');
  return { tls, pairs: [own, ...spare] };
}

function cardOf({ state, ring, identity }: Journal, keyStore: 'tpm' | 'file', url: string): NodeCard {
  const [level] = state.levels;
  const pin = url.startsWith('wss:') ? { pin: ring.tls.public.spkiDigest } : {};
  return {
    v: 1,
    kind: 'node-card',
    name: state.name,
    identity: identity.public.jwk,
    keyStore,
    level: 0,
    lease: level.lease,
    key: level.pair.jwk,
    ways: [{ via: 'direct', url, ...pin }],
  };
}

export interface RunningNode {
  /** Resolves when the node cannot go on: only a new start can tell what is on the disk. The filters stay as they are. */
  readonly failed: Promise<string>;
  readonly listening: Listening;
  readonly boot: string;
  readonly name: string;
  /** By command: what whoever started the process does with it, where commands act on the process. */
  readonly asked: Promise<PowerAct>;
  stop(): Promise<void>;
}

export async function readConfig(folder: string): Promise<Result<Config>> {
  try {
    return parseConfig(await readFile(configIn(folder), 'utf8'));
  } catch (error) {
    return refuse('not-initialised', messageOf(error));
  }
}

function configIn(folder: string): string {
  return join(folder, 'node.json');
}

/** Whom `bmonitor run` tells that it is ready, and that it lives. */
export { Supervisor } from './host/supervisor.js';

/** Wires everything, decides nothing. */
export async function runNode(
  folder: string,
  log: Log,
  actsOn: MachinePower['actsOn'] = 'process',
): Promise<Result<RunningNode>> {
  withoutCoreDumps();
  const config = await readConfig(folder);
  if (!config.ok) return config;
  const roots = rootStoreOf(folder, config.value);
  const store = await openLevelStore(join(folder, 'store'));
  if (!store.ok) return store;
  const filtering = await openFiltering(folder, config.value, log);
  if (!filtering.ok) return filtering;
  const { enforcer, enforce, firewall, standing } = filtering.value ?? {};
  const boot = newId();
  let engines: MadeEngines | undefined;
  const power = new HostPower(actsOn, config.value.interface);
  const health = healthWatch(folder, config.value.interface, log);
  const opened: Result<Heart> = await openHeart({
    boot,
    store: store.value,
    roots,
    clock: hostClock,
    log,
    directories: await directoriesOf(folder, config.value, log),
    ownPorts: ownPortsIn(config.value),
    engineAddresses: addressesForEngines(config.value),
    filters: {
      enforce: async (state) => {
        const enforced = await enforce?.(state);
        if (enforced?.ok) return (await engines?.leadPorts(state)) ?? enforced;
        return enforced ?? ok(undefined);
      },
      workOut: (state) => enforcer?.workOut(state),
    },
    power,
    engines: (on) => {
      const enforced = enforcer && ((): boolean => enforcer.facts().enforced === 'yes');
      const levelOf = (lease: string): number | undefined => levelOfLease(opened, lease);
      engines = makeEngines(folder, on, { log, levelOf, config: config.value, enforced });
      return engines.engines;
    },
  });
  // Who cannot start is started again for ever: what listens to the kernel must not outlive each try.
  const begun: ({ close?(): Promise<unknown> } | undefined)[] = [firewall, roots];
  const not = async <R>(why: R): Promise<R> => (
    await Promise.all(begun.map(async (one) => one?.close?.())),
    why
  );
  if (!opened.ok) return not(opened);
  const { journal, events, time, core, jobs, directories } = opened.value;
  if (roots.kind === 'file')
    log.warn('keys.in-a-file', {
      todo: 'use a TPM for anything but trying out: whoever copies this disk can become this node',
    });
  const machine: MachineFacts = {
    keyStore: roots.kind,
    power: actsOn,
    health: health.report,
    directories: directories.kind,
    version,
    kernelRelease,
    started_s: time.now_s(),
    filters: () => enforcer?.facts() ?? { enforced: 'no', detail: 'no addresses are configured' },
    addresses: () => enforcer?.addresses.map(formatRange) ?? [],
    engines: engines?.report ?? new EngineReport(refuse('engines-not-here')),
    ...(firewall && enforcer ? { kernel: new FilterReport(firewall, enforcer) } : {}),
  };
  const answers = new Answers({ core, journal, events, machine });
  const gate = new Gate(() => hostClock.sinceBoot(), hostTiming.afterOthers);
  const notices = new Notices({ core, time, keyStore: roots.kind, boot, log });
  events.onTold = (lease, event, time_s) => notices.told(lease, event, time_s);
  const service = new Service({
    core,
    answers,
    notices,
    nonces: new Nonces(hostClock),
    seen: new Seen(),
    gate,
    time,
    boot,
    log,
  });
  await core.start();
  const everyone = (): readonly number[] => core.state.levels.map((_, level) => level);
  if (firewall && enforcer)
    void watchFirewall(firewall, enforcer, {
      log,
      event: (kind, fields) => events.add({ to: everyone(), kind, fields }),
      now_s: () => time.now_s(),
    });
  const teller =
    enforcer &&
    new RefusalTeller(
      enforcer,
      () => hostClock.sinceBoot(),
      (event) => events.add(event),
    );
  if (firewall && teller) void teller.listen(firewall);
  const ending = new EndingTeller((event) => events.add(event));
  const telling = setInterval(() => {
    teller?.tick();
    ending.tick(core.state, time.now_s());
    void notices.tick(service.busy);
  }, limits.tick_ms);
  // The filters stand already: the link may come up.
  const fixed = fixedKeeper(folder, config.value, log);
  if (!fixed.ok) return not(fixed);
  await fixed.value?.start();
  begun.push(fixed.value);
  const keeper = addressKeeper(folder, config.value, log, async (change) => {
    if (enforcer && standing) enforcer.standOn(standingWith(standing, change));
    await core.enforceAgain();
    const { old, new: now } = change;
    if (old === now) return;
    const fields = { ...(old === undefined ? {} : { old }), ...(now === undefined ? {} : { new: now }) };
    events.add({ to: everyone(), kind: 'address.changed', fields });
  });
  const kept = await keeper?.start();
  begun.push(keeper);
  if (kept?.ok === false) return not(kept);
  const listening = await listen({
    ...config.value.listen,
    tls: journal.ring.tls,
    name: journal.identity.public.id,
    admits: (source) => gate.admitsConnection(source),
    serve: (channel) => service.serve(channel),
    log,
  });
  if (!listening.ok) return not(listening);
  const stopDialling = dialGateways({
    gateways: config.value.gateways ?? [],
    identity: journal.identity,
    serve: (channel) => service.serve(channel),
    log,
  });
  const local = await serveLocalStatus(statusSocketOf(folder), () =>
    localFacts({ core, machine, boot, address: `${listening.value.host} port ${listening.value.port}` }),
  );
  if (!local.ok) log.warn('status.no-socket', { why: local.refusal.detail });
  const tidying = setInterval(() => void engines?.tidy(core.state), limits.image_unused_ms_max / 6);
  health.start({ core, events });
  const settle = (): void =>
    void store.value
      .settle()
      .catch((error: unknown) => log.warn('store.unsettled', { why: messageOf(error) }));
  const collecting = setInterval(idleCollection(hostCollecting(settle)), limits.idle_collection_ms);
  const stopChores = startChores(core, service, config.value.keyBits ?? rsaBits.normal, log);
  log.info('node.ready', {
    name: journal.state.name,
    node: journal.identity.public.id,
    host: listening.value.host,
    port: listening.value.port,
    boot,
  });
  const failed = new Promise<string>((resolve) => (core.onFault = resolve));
  if (core.fault !== undefined) core.onFault(core.fault);
  return ok({
    failed,
    listening: listening.value,
    boot,
    name: journal.state.name,
    asked: power.asked,
    async stop() {
      stopChores();
      health.stop();
      clearInterval(tidying);
      clearInterval(collecting);
      stopDialling();
      if (local.ok) await local.value();
      service.close();
      await listening.value.close();
      // The address stays as long as its lease does: a node that is only restarted keeps its connections.
      await keeper?.close();
      await fixed.value?.close();
      const resting = jobs.stop();
      await power.close();
      await resting;
      await core.close();
      // Engines go on: the next BMonitor finds them.
      await engines?.close();
      await roots.close?.();
      // The filters stay: whoever stops BMonitor does not open the node.
      clearInterval(telling);
      await firewall?.close();
      log.info('node.stopped', {});
    },
  });
}

/** Without them the node runs, and takes no files. */
async function directoriesOf(folder: string, { data }: Config, log: Log): Promise<Result<DirectoryStore>> {
  const store = await openDirectoryStore(folder, data?.bytes ?? limits.lease_directory_bytes, data?.store);
  if (!store.ok) log.warn('data.no-store', { why: store.refusal.detail });
  return store;
}

/** Undefined while the heart is being opened: nothing runs yet then. */
function levelOfLease(opened: Result<Heart>, lease: string): number | undefined {
  const at = opened.ok ? opened.value.core.state.levels.findIndex((level) => level.lease === lease) : -1;
  return at === -1 ? undefined : at;
}

/** What the node does by itself: time, effects that failed, pairs made ahead. */
function startChores(core: Core, service: Service, keyBits: number, log: Log): () => void {
  const clockwork = setInterval(() => void core.passTime(), limits.tick_ms);
  const again = setInterval(() => void core.retryEffects(), limits.retry_effects_ms);
  const strangers = setInterval(() => service.closeUnproven(), limits.retry_effects_ms);
  let making = false;
  const spare = setInterval(() => {
    if (making || core.ring.pool.length >= limits.spare_pairs) return;
    making = true;
    makePair(keyBits)
      .then((pair) => core.addSparePair(pair))
      .catch((error: unknown) => log.error('pair.failed', { why: messageOf(error) }))
      .finally(() => (making = false));
  }, limits.tick_ms);
  return () => {
    for (const timer of [clockwork, again, strangers, spare]) clearInterval(timer);
  };
}
