import { route, type Route } from '../api/route.js';
import {
  list,
  name,
  nullable,
  object,
  oneOf,
  opaque,
  optional,
  text,
  whole,
  type ShapeOf,
} from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';
import type { Stored } from '../store/records.js';
import { rights } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { LeaseBook } from './book.js';
import type { Lease } from './record.js';

const seconds = whole({ min: 0, max: 32_503_680_000, about: 'seconds since 1970' });
const leaseId = text({ max: 22, pattern: /^[A-Za-z0-9_-]{22}$/, form: 'the id of a lease' });

const view = object({
  node: name,
  customer: name,
  /** `taken` and `dark`: granted, and what the node said of it last. */
  state: oneOf('granting', 'granted', 'taken', 'dark', 'refused', 'ending', 'replacing', 'ended', 'passed'),
  lease: nullable(leaseId),
  level: nullable(whole({ min: 1, max: limits.levels_max - 1 })),
  rights: list(oneOf(...rights), { max: rights.length }),
  until: seconds,
  destroyAfter: whole({ min: 0, max: limits.destroy_after_s_max }),
  trouble: nullable(text({ max: 64 })),
});
export type LeaseView = ShapeOf<typeof view>;
const views = object({ leases: list(view, { max: limits.nodes_max }) });

const chainForm = list(object({ lease: leaseId, status: oneOf('granted', 'active', 'dark') }), {
  max: limits.levels_max,
}).parse;

/** A lease that was granted is taken, or dark, when its node says so; what the node did not say yet is not guessed. */
function stateOf({ state, node, lease }: Lease, nodes: NodeBook): LeaseView['state'] {
  const known = nodes.get(node);
  if (state !== 'granted' || !known.ok) return state;
  const chain = chainForm(known.value.status?.['chain'] ?? [], 'chain');
  const status = chain.ok ? chain.value.find((one) => one.lease === lease)?.status : undefined;
  return status === 'active' ? 'taken' : (status ?? state);
}

function viewOf({ value }: Stored<Lease>, nodes: NodeBook): LeaseView {
  const { node, customer, rights, until, destroyAfter } = value;
  return {
    node,
    customer,
    state: stateOf(value, nodes),
    lease: value.lease ?? null,
    level: value.level ?? null,
    rights,
    until,
    destroyAfter,
    trouble: value.trouble?.code ?? null,
  };
}

/** `at`: where what this level leases to the next is found; a console that is itself a tenant has its own leases beside them. */
export function leaseRoutes(
  book: LeaseBook,
  nodes: NodeBook,
  at: '/api/v1/leases' | '/api/v1/sub-leases' = '/api/v1/leases',
): Route[] {
  const viewsOf = (stored: Result<readonly Stored<Lease>[]>): Result<{ leases: LeaseView[] }> =>
    stored.ok ? ok({ leases: stored.value.map((one) => viewOf(one, nodes)) }) : stored;
  return [
    route({
      method: 'GET',
      path: at,
      summary: 'All leases, also those that are over',
      role: 'view',
      reply: views,
      handle: async () => viewsOf(await book.all()),
    }),
    route({
      method: 'POST',
      path: at,
      summary: 'Lease nodes to a customer; the keys of its consoles are enrolled',
      role: 'administer',
      body: object({
        customer: name,
        nodes: list(name, { min: 1, max: limits.leases_per_hand_over_max }),
        rights: list(oneOf(...rights), { min: 1, max: rights.length }),
        until: seconds,
        destroyAfter: whole({ min: 0, max: limits.destroy_after_s_max }),
      }),
      reply: views,
      handle: async ({ body }) => viewsOf(await book.grant(body)),
    }),
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/levels',
      summary: 'The chain of levels on a node, as far as this console may see it, from the node itself',
      role: 'view',
      params: object({ name }),
      reply: opaque('the node’s answer to levels.read'),
      async handle({ params }) {
        const reply = await nodes.request(params.name, { type: 'levels.read' });
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
    route({
      method: 'POST',
      path: `${at}/{lease}/extend`,
      summary: 'Move the end of a lease',
      role: 'administer',
      params: object({ lease: leaseId }),
      body: object({ until: seconds }),
      reply: views,
      handle: async ({ params, body }) => viewsOf(await book.extend(params.lease, body.until)),
    }),
    route({
      method: 'POST',
      path: `${at}/{lease}/end`,
      summary: 'End a lease at once; all keys of its level, and with them its data, are destroyed',
      role: 'administer',
      params: object({ lease: leaseId }),
      body: object({ destroys: optional(leaseId) }),
      reply: views,
      handle: async ({ params, body }) =>
        body.destroys === params.lease
          ? viewsOf(await book.end(params.lease))
          : refuse('not-named', `destroys must be ${params.lease}`, { where: 'destroys' }),
    }),
    route({
      method: 'POST',
      path: `${at}/{lease}/replace`,
      summary:
        'Another pair for the level of a lease, and another lease on the same terms; `destroys` names the leases that go',
      role: 'administer',
      params: object({ lease: leaseId }),
      body: object({ destroys: optional(list(leaseId, { max: limits.levels_max })) }),
      reply: views,
      handle: async ({ params, body }) => viewsOf(await book.replace(params.lease, body.destroys)),
    }),
    route({
      method: 'GET',
      path: `${at}/{lease}/receipts`,
      summary: 'What the node signed about a lease, to be checked offline by anybody',
      role: 'view',
      params: object({ lease: leaseId }),
      reply: object({
        receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max }),
      }),
      handle: async ({ params }) => {
        const found = await book.receipts(params.lease);
        return found.ok ? ok({ receipts: found.value }) : found;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/hand-overs/{customer}',
      summary: 'The file that the customer takes in',
      role: 'operate',
      params: object({ customer: name }),
      reply: object({ handOver: opaque('a hand-over, as docs/protocol.md describes it') }),
      handle: async ({ params }) => {
        const made = await book.handOver(params.customer);
        return made.ok ? ok({ handOver: made.value }) : made;
      },
    }),
  ];
}
