import { forEach } from '../../console/filters/push.js';
import type { NodeBook } from '../../console/nodes/book.js';
import type { Command } from '../../protocol/commands.js';
import { engineSettings, type EngineSettings } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import { list, opaqueObject, text, whole } from '../../protocol/parse.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { lastText } from './last.js';

/** What a node says of an engine. `said` is all of it, for who wants to see more than this console acts on. */
export interface EngineOn {
  /** Empty: its description is locked. */
  readonly name: string;
  readonly state: string;
  readonly revision: number;
  /** The revision that runs, which is not the described one before it was started anew. */
  readonly runs: number | undefined;
  readonly restarts: number;
  /** What its probes say, if it has any. */
  readonly health: string | undefined;
  readonly said: Readonly<Record<string, unknown>>;
}

const word = text({ max: 100 });
const count = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });

function readEngine(value: unknown, where: string): Result<EngineOn> {
  const said = opaqueObject(value, where);
  if (!said.ok) return said;
  // While its description is locked, the node itself does not know what it is called.
  const name = said.value['name'] === undefined ? ok('') : word(said.value['name'], `${where}.name`);
  const state = word(said.value['state'], `${where}.state`);
  const revision = count(said.value['revision'], `${where}.revision`);
  const restarts = count(said.value['restarts'], `${where}.restarts`);
  if (!name.ok) return name;
  if (!state.ok) return state;
  if (!revision.ok) return revision;
  if (!restarts.ok) return restarts;
  const { runs, health } = said.value;
  return ok({
    name: name.value,
    state: state.value,
    revision: revision.value,
    runs: typeof runs === 'number' ? runs : undefined,
    restarts: restarts.value,
    health: typeof health === 'string' ? health : undefined,
    said: said.value,
  });
}

/** One of several nodes: what came of it. */
export interface OnNode<T> {
  readonly node: string;
  readonly value?: T;
  readonly trouble?: Refusal;
}

export async function onEach<T>(
  nodes: readonly string[],
  act: (node: string) => Promise<Result<T>>,
): Promise<readonly OnNode<T>[]> {
  return forEach(nodes, async (node): Promise<OnNode<T>> => {
    const done = await act(node);
    return done.ok ? { node, value: done.value } : { node, trouble: done.refusal };
  });
}

export async function ask(
  book: NodeBook,
  node: string,
  command: Command,
): Promise<Result<Readonly<Record<string, unknown>>>> {
  const reply = await book.request(node, command);
  return reply.ok ? ok(reply.value.result ?? {}) : reply;
}

export async function enginesOn(book: NodeBook, node: string): Promise<Result<readonly EngineOn[]>> {
  const reply = await ask(book, node, { type: 'engines.read' });
  if (!reply.ok) return reply;
  return list(readEngine, { max: limits.engines_per_level_max })(reply.value['engines'], 'engines');
}

export interface Described {
  readonly engine: EngineOn;
  readonly settings: EngineSettings;
}

/** Undefined: there is no engine of this name there. */
export async function engineOn(
  book: NodeBook,
  node: string,
  name: string,
): Promise<Result<Described | undefined>> {
  const reply = await ask(book, node, { type: 'engine.read', name });
  if (!reply.ok) return reply.refusal.code === 'engine-unknown' ? ok(undefined) : reply;
  const engine = readEngine(reply.value, 'engine');
  if (!engine.ok) return engine;
  const settings = engineSettings(reply.value['settings'], 'settings');
  return settings.ok ? ok({ engine: engine.value, settings: settings.value }) : settings;
}

/** Describes the engine there, over what was read before, so that nobody else's change is overwritten unseen. */
export async function describeOn(
  book: NodeBook,
  node: string,
  name: string,
  settings: EngineSettings,
): Promise<Result<{ readonly before: Described | undefined; readonly revision: number }>> {
  const before = await engineOn(book, node, name);
  if (!before.ok) return before;
  const expect = before.value?.engine.revision;
  const put = await ask(book, node, {
    type: 'engine.put',
    name,
    settings,
    ...(expect === undefined ? {} : { expect }),
  });
  return put.ok ? ok({ before: before.value, revision: (expect ?? 0) + 1 }) : put;
}

/** To what stood there before: other settings, or nothing at all. */
export async function putBack(
  book: NodeBook,
  node: string,
  name: string,
  before: Described | null,
): Promise<Result<unknown>> {
  if (before === null) return ask(book, node, { type: 'engine.remove', name });
  const described = await describeOn(book, node, name, before.settings);
  if (!described.ok) return described;
  const stopped = before.engine.said['wanted'] === 'stopped';
  return ask(book, node, { type: stopped ? 'engine.stop' : 'engine.restart', name });
}

/** Has it run this revision, well, for a while? */
export async function awaitWell(
  book: NodeBook,
  node: string,
  name: string,
  gate: {
    readonly revision: number;
    readonly well_ms: number;
    readonly bound_ms: number;
    readonly steady: () => number;
  },
): Promise<Result<true>> {
  const end = gate.steady() + gate.bound_ms;
  let since: number | undefined;
  let restarts: number | undefined;
  let seen = 'nothing is known of it';
  while (gate.steady() < end) {
    const found = await engineOn(book, node, name);
    if (found.ok && !found.value) return refuse('engine-unknown', name);
    const engine = found.ok ? found.value?.engine : undefined;
    if (engine) {
      restarts ??= engine.restarts;
      const runs = engine.state === 'running' && (engine.runs ?? gate.revision) === gate.revision;
      const well = runs && engine.health !== 'bad' && engine.health !== 'unknown';
      const last = lastText(engine.said);
      seen = `${engine.state}${engine.health === undefined ? '' : `, its probes say ${engine.health}`}${last === '' ? '' : `; ${last}`}`;
      if (engine.restarts > restarts)
        return refuse('engine-not-well', `it ended and was started again: ${seen}`);
      since = well ? (since ?? gate.steady()) : undefined;
      if (since !== undefined && gate.steady() - since >= gate.well_ms) return ok(true);
    }
    await new Promise((resolve) => setTimeout(resolve, limits.roll_look_ms));
  }
  return refuse('engine-not-well', seen);
}
