import type { Command, CommandOf } from '../../protocol/commands.js';
import { mostMemory_mb } from '../../protocol/engines.js';
import type { Duplex } from './duplex.js';
import { throughDoor, type DoorCommand } from './engine-door.js';
import type { VoiceFacts } from '../engines/voices.js';
import type {
  EngineAsker,
  EngineDoors,
  EngineEnd,
  EngineFolders,
  EngineLogs,
  EngineRunner,
  ImageStore,
} from '../ports/engines.js';
import type { HealthFacts } from '../engines/health.js';
import { howItEnded, type LifeFacts } from '../engines/life.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Engine } from './engine-state.js';
import type { Level, NodeState } from './state.js';

type Answer = Result<Readonly<Record<string, unknown>>>;

export interface EngineFacts {
  facts(id: string): LifeFacts | undefined;
}

export type ServeStream = (duplex: Duplex) => Promise<Answer>;

/** Commands that a stream of bytes follows. */
type Streamed = CommandOf<'image.send'> | CommandOf<'engine.logs'> | DoorCommand;

const streamed: ReadonlySet<string> = new Set<Streamed['type']>([
  'image.send',
  'engine.logs',
  'engine.exec',
  'engine.attach',
  'engine.forward',
]);

export function isStreamed(command: Command): command is Streamed {
  return streamed.has(command.type);
}

interface Host {
  readonly lives: EngineFacts;
  readonly runner: Pick<EngineRunner, 'usage'>;
  readonly images: ImageStore;
  readonly folders: EngineFolders;
  readonly logs: EngineLogs;
  readonly doors: EngineDoors;
  readonly voices: { facts(id: string): VoiceFacts };
  readonly asker: EngineAsker;
  readonly health: { facts(id: string): HealthFacts | undefined };
  /** What this machine has for all engines together. */
  readonly memory_all_mb: number;
}

/** What consoles are told of engines. Whether the asker may know was decided before. */
export class EngineReport {
  readonly #host: Result<Host>;

  constructor(host: Result<Host>) {
    this.#host = host;
  }

  serve(command: Streamed, level: Level): ServeStream {
    const host = this.#host;
    if (!host.ok) return () => Promise.resolve(host);
    if (command.type === 'engine.logs') return (duplex) => tellLog(host.value.logs, level, command, duplex);
    if (command.type !== 'image.send')
      return (duplex) => throughDoor(host.value.doors, level, command, duplex);
    return async (duplex) => {
      const source = { form: command.form, bytes: duplex.incoming() };
      const stored = await host.value.images.take(level.lease, source, command.image);
      if (!stored.ok) return stored;
      // An archive that was cut after its last file has its digest all the same: it is whole.
      return ok({ ...stored.value });
    };
  }

  /** With the memory that is left when every engine that is wanted here takes all that it may: that is room for one more. */
  async list({ levels }: NodeState, { engines }: Level): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const wanted = levels.flatMap((level) => level.engines ?? []).filter((one) => one.wanted !== 'stopped');
    const taken_mb = wanted.reduce(
      (sum, { described }) => sum + (described ? mostMemory_mb(described.settings) : 0),
      0,
    );
    const { memory_all_mb } = host.value;
    return ok({
      engines: await Promise.all((engines ?? []).map((engine) => this.#short(engine))),
      memory: { all_mb: memory_all_mb, left_mb: Math.max(0, memory_all_mb - taken_mb) },
    });
  }

  async one({ engines }: Level, name: string): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const engine = engines?.find((one) => one.described?.name === name);
    if (!engine) return refuse('engine-unknown', name);
    return ok({ ...(await this.#short(engine)), settings: engine.described?.settings });
  }

  async ask({ engines }: Level, { name, of, text }: CommandOf<'engine.ask'>): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const engine = engines?.find((one) => one.described?.name === name);
    if (!engine) return refuse('engine-unknown', name);
    const said = await host.value.asker.ask(engine.id, of, text);
    return said.ok ? ok({ text: said.value }) : said;
  }

  async images({ lease, engines }: Level): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const stored = await host.value.images.list(lease);
    if (!stored.ok) return stored;
    const used = new Set((engines ?? []).map((engine) => engine.described?.settings.image));
    return ok({ images: stored.value.map((image) => ({ ...image, used: used.has(image.digest) })) });
  }

  async folders({ lease, engines }: Level): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const kept = await host.value.folders.list(lease);
    if (!kept.ok) return kept;
    const usersOf = (name: string): readonly string[] =>
      (engines ?? [])
        .filter(({ described }) => described?.settings.mounts?.some(({ folder }) => folder === name))
        .map(({ described }) => described?.name ?? '');
    return ok({ folders: kept.value.map((folder) => ({ ...folder, engines: usersOf(folder.name) })) });
  }

  /** Numbers of the levels below, and nothing that tells one engine from another. */
  async usage(state: NodeState, level: number): Promise<Answer> {
    const host = this.#host;
    if (!host.ok) return host;
    const levels: Readonly<Record<string, unknown>>[] = [];
    for (const [at, { lease, engines }] of state.levels.entries()) {
      if (at < level) continue;
      const used = await Promise.all((engines ?? []).map(({ id }) => host.value.runner.usage(id)));
      const running = used.filter((one) => one !== undefined);
      const sum = (of: (one: (typeof running)[number]) => number): number =>
        running.reduce((total, one) => total + of(one), 0);
      levels.push({
        level: at,
        lease,
        engines: engines?.length ?? 0,
        running: running.length,
        memory_bytes: sum((one) => one.memory_bytes),
        processor_ms: sum((one) => one.processor_ms),
        processes: sum((one) => one.processes),
      });
    }
    return ok({ levels });
  }

  async #short(engine: Engine): Promise<Readonly<Record<string, unknown>>> {
    const { id, wanted, revision, described } = engine;
    const host = this.#host;
    const facts = host.ok ? host.value.lives.facts(id) : undefined;
    const usage = host.ok ? await host.value.runner.usage(id) : undefined;
    return {
      ...(described ? { name: described.name, image: described.settings.image } : {}),
      wanted,
      revision,
      state: facts?.state ?? 'stopped',
      ...(facts?.running ? { since_ms: facts.running.since_ms, runs: facts.running.revision } : {}),
      restarts: facts?.restarts ?? 0,
      ...(host.ok ? host.value.health.facts(id) : {}),
      ...(host.ok ? saidOf(host.value.voices.facts(id)) : {}),
      ...(facts?.lastEnd ? { lastEnd: endOf(facts.lastEnd) } : {}),
      ...(facts?.lastFailure ? { lastFailure: facts.lastFailure } : {}),
      ...(usage ? { usage } : {}),
    };
  }
}

async function tellLog(
  logs: EngineLogs,
  { lease, engines }: Level,
  { name, since_ms, follow }: CommandOf<'engine.logs'>,
  duplex: Duplex,
): Promise<Answer> {
  const engine = engines?.find((one) => one.described?.name === name);
  if (!engine) return refuse('engine-unknown', name);
  const options = { follow: follow === true, stop: () => duplex.over || duplex.whole };
  const pieces = logs.read(
    { lease, id: engine.id },
    { ...options, ...(since_ms === undefined ? {} : { since_ms }) },
  );
  for await (const piece of pieces) {
    const written = await duplex.write(piece);
    if (!written.ok) return written;
  }
  return ok({});
}

function endOf(end: EngineEnd): Readonly<Record<string, unknown>> {
  const { code, at_ms, unwell } = end;
  const how = howItEnded(end);
  return {
    how,
    at_ms,
    ...(code === undefined ? {} : how === 'signal' ? { signal: code - 128 } : { code }),
    ...(unwell ? { probe: unwell.probe, detail: unwell.detail } : {}),
  };
}

/** What an engine said of itself: nobody else vouches for it. */
function saidOf({ beat_ms, error }: VoiceFacts): Readonly<Record<string, unknown>> {
  return { ...(beat_ms === undefined ? {} : { beat_ms }), ...(error ? { error } : {}) };
}
