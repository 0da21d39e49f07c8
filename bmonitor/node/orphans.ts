import { limits } from '../../protocol/limits.js';
import type { Store } from '../ports/store.js';
import {
  blockKeys,
  engineKeys,
  historyKey,
  homeOf,
  isGated,
  leaseRooms,
  receiptKey,
  secretKeys,
} from './places.js';
import type { Level, NodeState } from './state.js';

/** Of the keys in the rooms of leases, those that no state refers to: left by a crash, or by a change that never took hold. */
export function orphansOf(state: NodeState): (key: string) => boolean {
  const levels = new Map(state.levels.map((level) => [level.lease, level]));
  const [blocks, engines, secrets] = [blockKeys(state), engineKeys(state), secretKeys(state)];
  return (key) => {
    const [room = '', lease = ''] = key.split('/');
    const level = levels.get(lease);
    if (!level || (isGated(key) && !key.startsWith(`${room}/${homeOf(state, lease)}/`))) return true;
    if (room === 'f') return !blocks.has(key);
    if (room === 's') return !secrets.has(key);
    if (room === 'd') return !engines.has(key);
    return isBeyond(room, key.slice(key.lastIndexOf('/') + 1), level, state.generation);
  };
}

function isBeyond(room: string, name: string, level: Level, generation: number): boolean {
  const { history, receipts } = level;
  switch (room) {
    case 'h':
      return !isWithin(Number(name), history.first, history.head.seq);
    case 'e':
      return !isWithin(Number(name), receipts - limits.receipts_kept_max + 1, receipts);
    case 'v':
      return Number(name.split('.')[1]) > generation;
    default:
      return room === 'q' && Number(name) > generation;
  }
}

function isWithin(value: number, first: number, last: number): boolean {
  return value >= first && value <= last;
}

type Entry = readonly [key: string, value: Uint8Array];

/**
 * Everything in the rooms of leases that may be an orphan, and what is in a room that a start has to look through anyway. Of what is kept by number,
 * only what stands before and behind the numbers that the state knows: a start must not take longer the longer its history is.
 */
export async function* suspects(store: Store, state: NodeState): AsyncGenerator<Entry> {
  for (const room of leaseRooms) {
    let passed: string | undefined;
    for (;;) {
      const first = await firstKey(store, `${room}/`, passed);
      if (first === undefined) break;
      const place = placeOf(room, first);
      yield* suspectsIn(store, room, place, state);
      // The sign that follows the slash: behind everything of this place, before any other.
      passed = `${place.slice(0, -1)}0`;
    }
  }
}

async function firstKey(store: Store, prefix: string, after?: string): Promise<string | undefined> {
  for await (const [key] of store.entries(prefix, { limit: 1, ...(after === undefined ? {} : { after }) }))
    return key;
  return undefined;
}

/** A lease in an outer room; a data key of a lease in a gated one. */
function placeOf(room: string, key: string): string {
  const parts = key.split('/').slice(0, isGated(`${room}/`) ? 3 : 2);
  return `${parts.join('/')}/`;
}

async function* suspectsIn(
  store: Store,
  room: string,
  place: string,
  state: NodeState,
): AsyncGenerator<Entry> {
  const level = state.levels.find(
    ({ lease }) => place === `${room}/${isGated(place) ? homeOf(state, lease) : lease}/`,
  );
  if (!level) {
    yield* store.entries(place);
    return;
  }
  const { lease, history, receipts } = level;
  switch (room) {
    case 'h':
      yield* outside(
        store,
        place,
        historyKey(homeOf(state, lease), history.first),
        historyKey(homeOf(state, lease), history.head.seq),
      );
      return;
    case 'e': {
      const oldest = Math.max(1, receipts - limits.receipts_kept_max + 1);
      yield* outside(store, place, receiptKey(lease, oldest), receiptKey(lease, receipts));
      return;
    }
    case 'v':
      // Blocks of events are numbered in the order in which they were written, so what never took hold is behind all that did.
      for await (const entry of store.entries(place, { reverse: true })) {
        if (Number(entry[0].slice(entry[0].lastIndexOf('.') + 1)) <= state.generation) return;
        yield entry;
      }
      return;
    case 'r':
      // Which replies there must be, and which not, is said by their order.
      return;
    default:
      yield* store.entries(place);
  }
}

async function* outside(store: Store, place: string, first: string, last: string): AsyncGenerator<Entry> {
  for await (const entry of store.entries(place)) {
    if (entry[0] >= first) break;
    yield entry;
  }
  yield* store.entries(place, { after: last });
}
