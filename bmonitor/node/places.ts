import type { Engine } from './engine-state.js';
import type { FilterBlock } from './filter-state.js';
import type { KeptSecret } from './secret-state.js';
import type { NodeState } from './state.js';

/** Where things stand in the node's store. Every room but the root's begins with the lease whose data it is. */
export const leaseRooms = ['d', 'e', 'f', 'h', 'r', 'q', 's', 'v'] as const;
/** What rests under the data key, and so needs every K to be read. */
export const gatedRooms = ['d', 'h', 'r', 'q', 's'] as const;

export function isGated(key: string): boolean {
  return gatedRooms.some((room) => key.startsWith(`${room}/`));
}

/** Where the gated data of a lease stands: each data key has a place of its own, so that a crash leaves one of them whole. */
export function homeOf(state: NodeState, lease: string): string {
  return `${lease}/${state.levels.find((level) => level.lease === lease)?.epoch ?? 0}`;
}

function number(value: number): string {
  return String(value).padStart(15, '0');
}

export function rootKey(generation: number): string {
  return `root/${number(generation)}`;
}

export function historyKey(home: string, seq: number): string {
  return `h/${home}/${number(seq)}`;
}

export function receiptKey(lease: string, count: number): string {
  return `e/${lease}/${number(count)}`;
}

export function replyName(console: string, jti: string): string {
  return `${console}.${jti}`;
}

export function replyKey(home: string, console: string, jti: string): string {
  return `r/${home}/${replyName(console, jti)}`;
}

export function replyNameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

export function orderKey(home: string, generation: number): string {
  return `q/${home}/${number(generation)}`;
}

export function engineKey(home: string, engine: Engine): string {
  return `d/${home}/${engine.id}.${engine.revision}`;
}

/** Where the engines' descriptions of a state rest. */
export function engineKeys(
  state: NodeState | undefined,
): ReadonlyMap<string, { lease: string; engine: Engine }> {
  const keys = new Map<string, { lease: string; engine: Engine }>();
  for (const { lease, engines } of state?.levels ?? [])
    for (const engine of engines ?? [])
      if (state) keys.set(engineKey(homeOf(state, lease), engine), { lease, engine });
  return keys;
}

export function secretKey(home: string, { id, revision }: KeptSecret): string {
  return `s/${home}/${id}.${revision}`;
}

/** Where the secrets of engines of a state rest. */
export function secretKeys(state: NodeState | undefined): ReadonlySet<string> {
  if (!state) return new Set();
  return new Set(
    state.levels.flatMap(({ lease, secrets }) =>
      (secrets ?? []).map((one) => secretKey(homeOf(state, lease), one)),
    ),
  );
}

export function blockKey(lease: string, block: string): string {
  return `f/${lease}/${block}`;
}

export function blockKeys(
  state: NodeState | undefined,
): ReadonlyMap<string, { lease: string; block: FilterBlock }> {
  const keys = new Map<string, { lease: string; block: FilterBlock }>();
  for (const level of state?.levels ?? []) {
    for (const block of [...level.filters.blocks, ...(level.waiting?.before.blocks ?? [])])
      keys.set(blockKey(level.lease, block.id), { lease: level.lease, block });
  }
  return keys;
}
