import { limits } from '../../protocol/limits.js';
import { ok, refuse } from '../../protocol/result.js';
import { object, oneOf, optional, text, wholeText, type Shape, type ShapeOf } from '../api/shape.js';
import type { Outline } from './book.js';
import type { BesideOf } from './routes.js';
import { nodeStates, type NodeState } from './state.js';

/** Several states with commas between them. */
const states: Shape<readonly NodeState[]> = {
  parse(value, where) {
    const wanted = typeof value === 'string' ? value.split(',') : [];
    const found = nodeStates.filter((state) => wanted.includes(state));
    return found.length === wanted.length && found.length > 0
      ? ok(found)
      : refuse('bad-input', `must be states with commas between: ${nodeStates.join(', ')}`, { where });
  },
  schema: { type: 'string', description: `states with commas between: ${nodeStates.join(', ')}` },
};
const label = text({ max: 64 });

/** Which nodes, in which order, and how many of them. */
export const nodesQuery = object({
  state: optional(states),
  /** A part of the name. */
  name: optional(label),
  room: optional(label),
  rack: optional(label),
  spare: optional(oneOf('yes', 'no')),
  sort: optional(oneOf('name', 'state', 'lastSeen', 'place')),
  order: optional(oneOf('up', 'down')),
  offset: optional(wholeText({ min: 0, max: limits.nodes_max })),
  limit: optional(wholeText({ min: 1, max: limits.nodes_max })),
  /** `brief` leaves out what makes the list long: the last status, the parts, the last notice. */
  view: optional(oneOf('brief', 'whole')),
});
export type NodesQuery = ShapeOf<typeof nodesQuery>;

export interface Chosen<T> {
  /** How many there are, on all pages. */
  readonly total: number;
  readonly nodes: readonly T[];
}

/** What a node is chosen and sorted by. */
export type Choosable = Pick<Outline, 'state' | 'lastSeen'> & { readonly card: { readonly name: string } };

/** Filters, sorts and cuts, on what is known in memory: a page of ten thousand nodes costs milliseconds. */
export function chooseNodes<T extends Choosable>(
  all: readonly T[],
  query: NodesQuery,
  besideOf?: BesideOf,
): Chosen<T> {
  const found = all.filter((node) => fits(node, query, besideOf));
  const { offset = 0, limit = limits.nodes_max } = query;
  const sorted = sortedBy(found, query, besideOf);
  return { total: found.length, nodes: sorted.slice(offset, offset + limit) };
}

function fits(node: Choosable, query: NodesQuery, besideOf?: BesideOf): boolean {
  const { state, name, room, rack, spare } = query;
  if (state && !state.includes(node.state)) return false;
  if (name !== undefined && !node.card.name.includes(name)) return false;
  if (room === undefined && rack === undefined && spare === undefined) return true;
  const place = besideOf?.(node.card.name)?.place;
  if (room !== undefined && place?.room !== room) return false;
  if (rack !== undefined && place?.rack !== rack) return false;
  return spare === undefined || (place?.spare ?? false) === (spare === 'yes');
}

/** Each key is made once; the name decides between equal ones, so that pages meet. */
function sortedBy<T extends Choosable>(
  nodes: readonly T[],
  { sort = 'name', order = 'up' }: NodesQuery,
  besideOf?: BesideOf,
): T[] {
  const keyed = nodes.map((node) => ({ node, name: node.card.name, key: keyOf(node, sort, besideOf) }));
  const direction = order === 'up' ? 1 : -1;
  keyed.sort((a, b) => direction * (compare(a.key, b.key) || compare(a.name, b.name)));
  return keyed.map(({ node }) => node);
}

function keyOf(node: Choosable, sort: NonNullable<NodesQuery['sort']>, besideOf?: BesideOf): string | number {
  switch (sort) {
    case 'name':
      return node.card.name;
    case 'state':
      return node.state;
    case 'lastSeen':
      return node.lastSeen ?? 0;
    case 'place': {
      const { room = '', rack = '', position = '' } = besideOf?.(node.card.name)?.place ?? {};
      return `${room}\0${rack}\0${position}`;
    }
  }
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
