import { limits } from '../../protocol/limits.js';
import { nodeCardForm, type NodeCard } from '../../protocol/node-card.js';
import { ok } from '../../protocol/result.js';
import { route, streamRoute, type Route, type StreamRoute } from '../api/route.js';
import {
  digest,
  flag,
  list,
  moment,
  name,
  nullable,
  object,
  oneOf,
  opaque,
  optional,
  text,
  whole,
  wholeText,
  type Shape,
  type ShapeOf,
} from '../api/shape.js';
import type { KnownNode, NodeBook, Outline } from './book.js';
import { chooseNodes, nodesQuery } from './list.js';
import { nodeStates } from './state.js';

const placeLabel = text({ max: 64, pattern: /^\P{Cc}+$/u, form: 'a text on one line' });
/** Where a node stands, and whether it is kept ready to stand in for another. */
export const place = object({
  room: optional(placeLabel),
  rack: optional(placeLabel),
  position: optional(placeLabel),
  spare: flag,
});

/** What a console knows of a node beside what the node itself answers. */
export interface Beside {
  readonly place: ShapeOf<typeof place>;
  readonly machine: string | null;
}
export type BesideOf = (name: string) => Beside | undefined;

const noticeView = object({
  time: moment,
  kind: text({ max: 100 }),
  fields: opaque('what happened'),
  signed: moment,
  keyStore: oneOf('tpm', 'file'),
});

const total = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const nodeView = object({
  name,
  id: digest,
  keyStore: oneOf('tpm', 'file'),
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  lease: text({ max: 22 }),
  ways: list(text({ max: 320 }), { max: 8 }),
  state: oneOf(...nodeStates),
  lastSeen: nullable(moment),
  /** Why it is not good, as far as it is known. */
  trouble: nullable(object({ code: text({ max: 64 }), detail: text({ min: 0, max: 2000 }) })),
  status: nullable(opaque('the last answer to the command status')),
  place: nullable(place),
  /** What it is made of, in one line. */
  machine: nullable(text({ max: 1000 })),
  /** The last thing that the node said unasked, signed by its identity key. */
  notice: nullable(noticeView),
  /** What became of the questions that this console asked of it since it runs. */
  questions: object({ right: total, late: total, wrong: total, none: total, took_ms: nullable(total) }),
});
export type NodeView = ShapeOf<typeof nodeView>;

/** Without what makes a list of thousands long: null, as where it is not known. */
function briefly({ card, id, state, lastSeen, refusal, questions }: Outline, besideOf?: BesideOf): NodeView {
  const { right, late, wrong, none, took_ms } = questions;
  return {
    name: card.name,
    id,
    keyStore: card.keyStore,
    level: card.level,
    lease: card.lease,
    ways: card.ways.map((way) => `${way.via} ${way.url}`),
    state,
    lastSeen: lastSeen ?? null,
    trouble: refusal ? { code: refusal.code, detail: refusal.detail ?? '' } : null,
    status: null,
    place: besideOf?.(card.name)?.place ?? null,
    machine: null,
    notice: null,
    questions: { right, late, wrong, none, took_ms: took_ms === undefined ? null : Math.round(took_ms) },
  };
}

function viewOf(node: KnownNode, besideOf?: BesideOf): NodeView {
  return {
    ...briefly(node, besideOf),
    status: node.status ?? null,
    machine: besideOf?.(node.card.name)?.machine ?? null,
    notice: noticesOf(node).at(-1) ?? null,
  };
}

/** A node counts seconds, the API milliseconds. */
function noticesOf({ notices = [] }: KnownNode): ShapeOf<typeof noticeView>[] {
  return notices.map((told) => ({ ...told, time: told.time * 1000, signed: told.signed * 1000 }));
}

const card: Shape<NodeCard> = {
  parse: nodeCardForm,
  schema: { type: 'object', description: 'a node card, as written by `bmonitor init` or in a hand-over' },
};

const nodesEvent = object({
  type: oneOf('nodes', 'gone'),
  now: moment,
  nodes: list(nodeView, { max: limits.nodes_max }),
  gone: list(name, { max: limits.nodes_max }),
});

export function nodeRoutes(book: NodeBook, now: () => number, besideOf?: BesideOf): (Route | StreamRoute)[] {
  const seen = (node: KnownNode): NodeView => viewOf(node, besideOf);
  const named = object({ name });
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes',
      summary:
        'The nodes, with what is known of each now: all of them, or those that are asked for, in the order and on the page that is asked for',
      role: 'view',
      query: nodesQuery,
      reply: object({
        now: moment,
        total: whole({ min: 0, max: limits.nodes_max, about: 'how many there are, on all pages' }),
        nodes: list(nodeView, { max: limits.nodes_max }),
      }),
      handle: ({ query }) => {
        const { total, nodes } = chooseNodes(book.outlines(), query, besideOf);
        const shown =
          query.view === 'brief'
            ? nodes.map((node) => briefly(node, besideOf))
            : nodes.flatMap(({ card }) => {
                const node = book.get(card.name);
                return node.ok ? seen(node.value) : [];
              });
        return Promise.resolve(ok({ now: now(), total, nodes: shown }));
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}',
      summary: 'One node',
      role: 'view',
      params: named,
      reply: nodeView,
      async handle({ params }) {
        const node = book.get(params.name);
        return node.ok ? ok(seen(node.value)) : node;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/card',
      summary:
        'The card of a node as this level has it, for another console of the level; nothing in it is secret',
      role: 'view',
      params: named,
      reply: object({ card: opaque('a node card') }),
      async handle({ params }) {
        const node = book.get(params.name);
        return node.ok ? ok({ card: { ...node.value.card } }) : node;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/events',
      summary:
        'The last things that happened on a node, oldest first, what of them it no longer knew, and what it signed of them',
      role: 'view',
      params: named,
      reply: object({
        events: list(
          object({ seq: total, kind: text({ max: 100 }), fields: opaque('what the event says') }),
          {
            max: limits.node_events_kept_max,
          },
        ),
        gap: nullable(object({ from: total, to: total })),
        notices: list(noticeView, { max: limits.notices_kept_max }),
        noticesRefused: total,
        noticesMissing: total,
        checkpoint: nullable(object({ seq: total, digest, time: moment })),
      }),
      async handle({ params }) {
        const node = book.get(params.name);
        if (!node.ok) return node;
        const { events = [], gap = null, noticesRefused = 0, noticesMissing = 0, checkpoint } = node.value;
        const notices = noticesOf(node.value);
        const signed = checkpoint ? { ...checkpoint, time: checkpoint.time * 1000 } : null;
        return ok({ events, gap, notices, noticesRefused, noticesMissing, checkpoint: signed });
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/history',
      summary: 'A page of the level’s history, to the letter, with a checkpoint that the node signs',
      role: 'view',
      params: named,
      query: object({ from: optional(wholeText({ min: 0, max: Number.MAX_SAFE_INTEGER })) }),
      reply: opaque('what `history.read` gave'),
      async handle({ params, query }) {
        const page = { from: query.from ?? 1, count: limits.history_page_entries_max };
        const reply = await book.request(params.name, { type: 'history.read', ...page });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/history/trim',
      summary: 'Have the node forget the entries before a number, the last of which has this digest',
      role: 'administer',
      params: named,
      body: object({ before: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }), head: digest }),
      reply: opaque('what `history.trim` gave'),
      async handle({ params, body }) {
        const reply = await book.request(params.name, { type: 'history.trim', ...body });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes',
      summary: 'Add a node by its card',
      role: 'administer',
      body: card,
      reply: nodeView,
      async handle({ body }) {
        const added = await book.add(body);
        return added.ok ? ok(seen(added.value)) : added;
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/nodes/{name}',
      summary: 'Forget a node; the node itself is not touched',
      role: 'administer',
      params: named,
      reply: object({}),
      async handle({ params }) {
        const removed = await book.remove(params.name);
        return removed.ok ? ok({}) : removed;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/status',
      summary: 'Ask a node for its status now, sealed to it and back',
      role: 'view',
      params: named,
      reply: object({ now: moment, status: opaque('the answer to the command status') }),
      async handle({ params }) {
        const reply = await book.request(params.name, { type: 'status' });
        return reply.ok ? ok({ now: now(), status: reply.value.result ?? {} }) : reply;
      },
    }),
    streamRoute({
      path: '/api/v1/nodes-events',
      summary: 'All nodes, then each change as it happens',
      role: 'view',
      event: nodesEvent,
      start: () => (send, closed) => {
        const end = book.listen((event) =>
          send(
            event.type === 'nodes'
              ? { type: 'nodes', now: now(), nodes: event.nodes.map(seen), gone: [] }
              : { type: 'gone', now: now(), nodes: [], gone: event.names },
          ),
        );
        closed.addEventListener('abort', end, { once: true });
      },
    }),
  ];
}
