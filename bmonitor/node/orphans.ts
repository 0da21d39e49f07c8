import { limits } from '../../protocol/limits.js';
import { blockKeys, engineKeys, homeOf, isGated } from './places.js';
import type { Level, NodeState } from './state.js';

/** Of the keys in the rooms of leases, those that no state refers to: left by a crash, or by a change that never took hold. */
export function orphansOf(state: NodeState): (key: string) => boolean {
  const levels = new Map(state.levels.map((level) => [level.lease, level]));
  const [blocks, engines] = [blockKeys(state), engineKeys(state)];
  return (key) => {
    const [room = '', lease = ''] = key.split('/');
    const level = levels.get(lease);
    if (!level || (isGated(key) && !key.startsWith(`${room}/${homeOf(state, lease)}/`))) return true;
    if (room === 'f') return !blocks.has(key);
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
