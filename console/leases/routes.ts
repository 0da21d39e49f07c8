import { route, type Route } from '../api/route.js';
import {
  digest,
  flag,
  list,
  map,
  name,
  nullable,
  object,
  oneOf,
  optional,
  text,
  whole,
  type Shape,
} from '../api/shape.js';
import { rights } from '../../protocol/commands.js';
import { handOverForm, type HandOver } from '../../protocol/hand-over.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { explain, type HeldLeases, type Outcome, type Taking } from './take.js';

const handOver: Shape<HandOver> = {
  parse: handOverForm,
  schema: { type: 'object', description: 'the hand-over of the landlord' },
};
const lease = object({
  node: name,
  facility: name,
  state: oneOf('taking', 'taken', 'ended'),
  lease: text({ max: 22 }),
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  until: whole({ min: 0, max: 32_503_680_000 }),
  rights: list(oneOf(...rights), { max: rights.length }),
  identity: oneOf('pinned', 'unverified'),
  strangers: list(digest, { max: 1000 }),
});
const outcome = object({
  node: name,
  taken: flag,
  code: nullable(text({ max: 64 })),
  detail: nullable(text({ min: 0, max: 2000 })),
  means: list(text({ max: 1000 }), { max: 10 }),
});

function viewOf(taking: Taking) {
  const { card, facility, state, until, rights, identity, strangers } = taking;
  return {
    node: card.name,
    facility,
    state,
    lease: card.lease,
    level: card.level,
    until,
    rights,
    identity,
    strangers,
  };
}

function outcomeOf(done: Outcome) {
  const { node, taken, code, detail } = done;
  return { node, taken, code: code ?? null, detail: detail ?? null, means: taken ? explain(done) : [] };
}

export function heldLeaseRoutes(leases: HeldLeases): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/held-leases',
      summary: 'The leases that this console took',
      role: 'view',
      reply: object({ leases: list(lease, { max: limits.nodes_max }) }),
      async handle() {
        const all = await leases.all();
        return all.ok ? ok({ leases: all.value.map(viewOf) }) : all;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/held-leases',
      summary: 'Take the leases of a hand-over: new pair, K and roster in one step on each node',
      role: 'administer',
      body: object({
        handOver,
        pins: map(digest, { max: limits.leases_per_hand_over_max }),
        names: optional(map(name, { max: limits.leases_per_hand_over_max })),
      }),
      reply: object({ outcomes: list(outcome, { max: limits.leases_per_hand_over_max }) }),
      async handle({ body }) {
        const { names, ...rest } = body;
        const done = await leases.take({ ...rest, ...(names === undefined ? {} : { names }) });
        return done.ok ? ok({ outcomes: done.value.map(outcomeOf) }) : done;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/held-leases/{name}/receipts',
      summary: 'What the node signed about the lease that this console holds of it, or held last',
      role: 'view',
      params: object({ name }),
      reply: object({
        receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max }),
      }),
      async handle({ params }) {
        const receipts = await leases.receipts(params.name);
        return receipts.ok ? ok({ receipts: [...receipts.value] }) : receipts;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/held-leases/{name}/end',
      summary: 'Give a lease back before its end; `destroys` names the lease, whose keys and data go',
      role: 'administer',
      params: object({ name }),
      body: object({
        destroys: text({ max: 22, pattern: /^[A-Za-z0-9_-]{22}$/, form: 'the id of a lease' }),
      }),
      reply: lease,
      async handle({ params, body }) {
        const ended = await leases.end(params.name, body.destroys);
        return ended.ok ? ok(viewOf(ended.value)) : ended;
      },
    }),
  ];
}
