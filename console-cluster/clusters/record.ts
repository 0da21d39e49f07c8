import { nameText, idText, digestText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';

const moment = whole({ min: 0, max: 32_503_680_000_000 });
const reason = text({ max: limits.note_chars_max });

/** The nodes of one customer in this facility. A node is in one cluster at most. */
export const clusterForm = object({
  members: list(nameText, { max: limits.cluster_nodes_max }),
  note: optional(reason),
});
export type Cluster = Parsed<typeof clusterForm>;

/** One end of an exception: a cluster, a node, or addresses outside. */
export const sideForm = object({
  kind: oneOf('cluster', 'node', 'outside'),
  name: optional(nameText),
  peers: optional(list(text({ max: 100 }), { min: 1, max: limits.exception_peers_max })),
});
export type Side = Parsed<typeof sideForm>;

/** Why two that are not of one cluster may talk, about what, and until when. The first side starts, unless both may. */
export const exceptionForm = object({
  from: sideForm,
  to: sideForm,
  both: oneOf('yes', 'no'),
  service: optional(text({ max: 40 })),
  protocol: optional(text({ max: 40 })),
  ports: optional(list(text({ max: 11 }), { min: 1, max: 64 })),
  reason,
  madeBy: text({ max: 100 }),
  made: moment,
  until: optional(moment),
});
export type Exception = Parsed<typeof exceptionForm>;

export const boundaryStates = ['in-step', 'behind', 'drifted', 'refused'] as const;

/**
 * What one node should have, and what it last said it has:
 *
 *     behind ──taken by the node──▶ in step ──somebody else changed it──▶ drifted ──pushed again──▶ in step
 *        └────refused by the node──▶ refused
 */
export const boundaryForm = object({
  /** Digest of the set and names that the node should have. */
  wanted: digestText,
  state: oneOf(...boundaryStates),
  /** What the node has, as far as this console put it there. */
  taken: optional(object({ digest: digestText, version: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) })),
  trouble: optional(object({ code: nameText, detail: optional(text({ min: 0, max: 400 })) })),
  since: moment,
});
export type Boundary = Parsed<typeof boundaryForm>;

/** A change that is on trial. It is in the store until it is decided; one that is found at a start was cut off, and is taken back. */
export const changeForm = object({
  id: idText,
  by: text({ max: 100 }),
  what: text({ max: 300 }),
  at: moment,
  nodes: list(nameText, { max: limits.nodes_max }),
});
export type Change = Parsed<typeof changeForm>;
