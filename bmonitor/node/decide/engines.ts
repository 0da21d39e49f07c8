import { engineDefaults, portsOf } from '../../../protocol/engines.js';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Decide, Decision, Given, RequestOf } from '../decision.js';
import { decided } from '../decision.js';
import type { Description, Engine } from '../engine-state.js';
import { replaceLevel, type NodeState } from '../state.js';
import { folderDigest } from '../../ports/engines.js';
import { ownAddressesOf } from '../engine-ways.js';
import { levelOf } from './consoles.js';

/** Describes an engine. What runs goes on as it is: new settings hold from its next start. */
export const decidePutEngine: Decide<'engine.put'> = (state, { level, command }, given) => {
  const own = levelOf(state, level);
  if (given.locked.has(own.lease)) return refuse('shares-outstanding');
  const engines = own.engines ?? [];
  const { name, settings, expect } = command;
  const before = engines.find((one) => one.described?.name === name);
  if ((before?.revision ?? 0) !== (expect ?? 0))
    return refuse('version-mismatch', `${name} is at revision ${before?.revision ?? 0}`);
  const taken = portTaken(state, command, { before, own: given.ownPorts });
  if (taken !== undefined) return refuse('port-in-use', taken);
  const free = addressesFree(state, settings, { before, given: given.engineAddresses });
  if (!free.ok) return free;
  // What it would find there is to be destroyed.
  const going = settings.mounts?.find(({ folder }) =>
    own.goingFolders?.includes(folderDigest(own.lease, folder)),
  );
  if (going) return refuse('folder-in-use', `${going.folder} is being removed`);
  const described: Description = { name, settings };
  const made = before
    ? ok({ ...before, revision: before.revision + 1, described })
    : newEngine(state, engines, described, given);
  if (!made.ok) return made;
  return ok(
    withEngine(state, level, made.value, {
      event: before ? 'engine.changed' : 'engine.described',
      filters: true,
    }),
  );
};

function newEngine(
  state: NodeState,
  engines: readonly Engine[],
  described: Description,
  given: Given,
): Result<Engine> {
  const taken = new Set(state.levels.flatMap((level) => (level.engines ?? []).map(({ slot }) => slot)));
  let slot = 1;
  while (taken.has(slot)) slot += 1;
  if (engines.length >= limits.engines_per_level_max || slot > limits.engine_slots_max)
    return refuse('too-many-engines');
  return ok({
    id: given.newId(),
    slot,
    wanted: 'stopped',
    round: 1,
    grace_s: 0,
    layer: 1,
    revision: 1,
    described,
  });
}

/** A port leads to one engine, whatever level it is of, and BMonitor's own to none: no console would reach the node again. */
function portTaken(
  state: NodeState,
  { settings }: RequestOf<'engine.put'>['command'],
  {
    before,
    own = new Set(),
  }: { readonly before: Engine | undefined; readonly own: ReadonlySet<string> | undefined },
): string | undefined {
  const others = state.levels.flatMap((level) => level.engines ?? []).filter((one) => one.id !== before?.id);
  const taken = new Set([...own, ...others.flatMap((one) => portTexts(one.described?.settings))]);
  const wanted = portTexts(settings);
  return wanted.find((port, at) => taken.has(port) || wanted.indexOf(port) !== at);
}

/** An address leads to one engine, whatever level it is of, and is one that who keeps the machine gave to engines. */
function addressesFree(
  state: NodeState,
  settings: Description['settings'],
  {
    before,
    given = new Set(),
  }: { readonly before: Engine | undefined; readonly given: ReadonlySet<string> | undefined },
): Result<void> {
  const others = state.levels.flatMap((level) => level.engines ?? []).filter((one) => one.id !== before?.id);
  const taken = new Set(others.flatMap((one) => ownAddressesOf(one.described?.settings ?? {})));
  for (const address of ownAddressesOf(settings)) {
    if (!given.has(address)) return refuse('address-not-for-engines', address);
    if (taken.has(address)) return refuse('address-in-use', address);
  }
  return ok(undefined);
}

function portTexts(settings: Description['settings'] | undefined): readonly string[] {
  return portsOf(settings ?? {}).map(({ port, protocol }) => `${protocol} ${port}`);
}

export const decideStartEngine: Decide<'engine.start'> = (state, request) =>
  changed(state, request, 'engine.start', (engine) =>
    // Paused or waiting for its next try: starting is what gets it going.
    ok(engine.wanted === 'running' ? engine : { ...engine, wanted: 'running' }),
  );

export const decideStopEngine: Decide<'engine.stop'> = (state, request) =>
  changed(state, request, 'engine.stop', (engine) =>
    ok({ ...nextRound(engine, request.command.grace_s), wanted: 'stopped' }),
  );

export const decideKillEngine: Decide<'engine.kill'> = (state, request) =>
  changed(state, request, 'engine.kill', (engine) => ok({ ...nextRound(engine, 0), wanted: 'stopped' }));

export const decideRestartEngine: Decide<'engine.restart'> = (state, request) =>
  changed(state, request, 'engine.restart', (engine) =>
    ok({ ...nextRound(engine, request.command.grace_s), wanted: 'running' }),
  );

export const decideReloadEngine: Decide<'engine.reload'> = (state, request) =>
  changed(state, request, 'engine.reload', (engine) =>
    ok({ ...nextRound(engine, request.command.grace_s), wanted: 'running', layer: engine.layer + 1 }),
  );

export const decidePauseEngine: Decide<'engine.pause'> = (state, request) =>
  changed(state, request, 'engine.pause', (engine) =>
    engine.wanted === 'stopped'
      ? refuse('not-that-way', 'it is stopped')
      : ok({ ...engine, wanted: 'paused' }),
  );

export const decideResumeEngine: Decide<'engine.resume'> = (state, request) =>
  changed(state, request, 'engine.resume', (engine) =>
    engine.wanted === 'paused'
      ? ok({ ...engine, wanted: 'running' })
      : refuse('not-that-way', 'it is not paused'),
  );

/** Changes nothing that the node keeps, but who went in is recorded. What a command says stands in the history only: it may hold secrets. */
export const decideEnterEngine: Decide<'engine.exec' | 'engine.attach' | 'engine.forward'> = (
  state,
  { level: index, command },
) => {
  const level = levelOf(state, index);
  const engine = level.engines?.find((one) => one.described?.name === command.name);
  if (!engine) return refuse('engine-unknown', command.name);
  if (engine.wanted === 'stopped') return refuse('not-that-way', 'it is stopped');
  return ok(
    decided(state, { events: [{ to: [index], kind: command.type, fields: { name: command.name } }] }),
  );
};

export const decideRemoveEngine: Decide<'engine.remove'> = (state, { level: index, command }, given) => {
  const level = levelOf(state, index);
  if (given.locked.has(level.lease)) return refuse('shares-outstanding');
  const { name } = command;
  const engine = level.engines?.find((one) => one.described?.name === name);
  if (!engine) return refuse('engine-unknown', name);
  const engines = level.engines?.filter((one) => one !== engine) ?? [];
  return ok(
    decided(replaceLevel(state, index, { ...level, engines }), {
      effects: [{ kind: 'run-engines' }, { kind: 'enforce-filters' }],
      events: [{ to: [index], kind: 'engine.removed', fields: { name } }],
    }),
  );
};

/** A folder is not in the state: it is there once an engine that names it was started. What is in it goes only when nobody wants it any more. */
export const decideRemoveFolder: Decide<'folder.remove'> = (state, { level: index, command }) => {
  const level = levelOf(state, index);
  const engines = level.engines ?? [];
  if (engines.some((one) => !one.described)) return refuse('shares-outstanding');
  const { name } = command;
  const user = engines.find(({ described }) =>
    described?.settings.mounts?.some(({ folder }) => folder === name),
  );
  if (user) return refuse('folder-in-use', user.described?.name ?? '');
  const folder = folderDigest(level.lease, name);
  const goingFolders = [...new Set([...(level.goingFolders ?? []), folder])];
  return ok(
    decided(replaceLevel(state, index, { ...level, goingFolders }), {
      effects: [{ kind: 'remove-folder', lease: level.lease, folder }],
      events: [{ to: [index], kind: 'folder.removed', fields: { name } }],
    }),
  );
};

/** It is gone from the disk: its name is free. */
export function decideFolderGone(state: NodeState, lease: string, folder: string): Decision | undefined {
  const index = state.levels.findIndex((level) => level.lease === lease);
  const level = state.levels[index];
  if (!level?.goingFolders?.includes(folder)) return undefined;
  const { goingFolders, ...rest } = level;
  const left = goingFolders.filter((one) => one !== folder);
  return decided(replaceLevel(state, index, left.length === 0 ? rest : { ...rest, goingFolders: left }), {});
}

function nextRound(engine: Engine, grace_s: number | undefined): Engine {
  const usual_s = engine.described?.settings.grace_s ?? engineDefaults.grace_s;
  return { ...engine, round: engine.round + 1, grace_s: grace_s ?? usual_s };
}

type OfOne = RequestOf<
  | 'engine.start'
  | 'engine.stop'
  | 'engine.kill'
  | 'engine.restart'
  | 'engine.reload'
  | 'engine.pause'
  | 'engine.resume'
>;

function changed(
  state: NodeState,
  { level: index, command }: OfOne,
  event: string,
  change: (engine: Engine) => Result<Engine>,
): Result<Decision> {
  const level = levelOf(state, index);
  const engine = level.engines?.find((one) => one.described?.name === command.name);
  // While the data key is locked, nobody knows the names.
  if (!engine)
    return level.engines?.some((one) => !one.described)
      ? refuse('shares-outstanding')
      : refuse('engine-unknown', command.name);
  const next = change(engine);
  return next.ok ? ok(withEngine(state, index, next.value, { event, filters: false })) : next;
}

function withEngine(
  state: NodeState,
  index: number,
  engine: Engine,
  options: { readonly event: string; readonly filters: boolean },
): Decision {
  const level = levelOf(state, index);
  const engines = level.engines ?? [];
  const known = engines.some((one) => one.id === engine.id);
  const next = known ? engines.map((one) => (one.id === engine.id ? engine : one)) : [...engines, engine];
  return decided(replaceLevel(state, index, { ...level, engines: next }), {
    // An engine's interface is known to the filters before anything runs behind it.
    effects: [...(options.filters ? [{ kind: 'enforce-filters' } as const] : []), { kind: 'run-engines' }],
    events: [{ to: [index], kind: options.event, fields: { name: engine.described?.name ?? '' } }],
    result: { revision: engine.revision, wanted: engine.wanted },
  });
}
