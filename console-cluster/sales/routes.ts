import { route, type Route } from '../../console/api/route.js';
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
  type Shape,
} from '../../console/api/shape.js';
import { consoleCardForm, type ConsoleCard } from '../../protocol/console-card.js';
import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { saleForm, type Sale } from '../../protocol/sale.js';
import type { SaleBook } from './book.js';
import { buyNode, type Buying } from './buying.js';
import { saleStates, type SaleRecord } from './record.js';

const leaseId = text({ max: 22, pattern: /^[A-Za-z0-9_-]{22}$/, form: 'the id of a lease' });
const address = text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' });
const receipts = list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max });
const consoleCard: Shape<ConsoleCard> = {
  parse: consoleCardForm,
  schema: { type: 'object', description: 'a console card, as `init` of a console writes it' },
};
const saleFile: Shape<Sale> = {
  parse: saleForm,
  schema: { type: 'object', description: 'what the landlord that sells gives the one that buys' },
};
const view = object({
  node: name,
  state: oneOf(...saleStates),
  to: list(object({ name, id: digest }), { max: limits.consoles_per_level_max }),
  /** What becomes of the lease that runs there. */
  below: oneOf('end', 'keep'),
  trouble: nullable(text({ max: 64 })),
  at: moment,
  by: text({ max: 100 }),
  receipts,
});

function viewOf({ node, state, to, enrolled, below, trouble, at, by, sold }: SaleRecord) {
  return {
    node,
    state,
    to: to.map((console, i) => ({ name: console.name, id: enrolled[i] ?? '' })),
    below,
    trouble: trouble?.code ?? null,
    at,
    by,
    receipts: [...(sold?.receipts ?? [])],
  };
}

/** Nodes that change hands: sold by this console, or bought. */
export function saleRoutes(sales: SaleBook, buying: Buying): Route[] {
  const params = object({ name });
  return [
    route({
      method: 'GET',
      path: '/api/v1/sales',
      summary: 'Nodes that were sold, or are being sold, and what they signed of that',
      role: 'view',
      reply: object({ sales: list(view, { max: limits.nodes_max }) }),
      async handle() {
        const all = await sales.all();
        return all.ok ? ok({ sales: all.value.map(viewOf) }) : all;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/sell',
      summary:
        'Hand a node to another landlord; `destroys` names the leases whose keys and data go, without it they are told',
      role: 'administer',
      params,
      body: object({
        to: list(consoleCard, { min: 1, max: limits.consoles_per_level_max }),
        below: oneOf('end', 'keep'),
        destroys: optional(list(leaseId, { max: limits.levels_max })),
        consoles: optional(list(address, { min: 1, max: limits.console_ways_max })),
      }),
      reply: view,
      async handle({ params: { name: node }, body, caller }) {
        const { destroys, consoles, ...rest } = body;
        const done = await sales.sell({
          node,
          ...rest,
          ...(destroys ? { destroys } : {}),
          ...(consoles ? { consoles } : {}),
          by: caller.name,
        });
        return done.ok ? ok(viewOf(done.value)) : done;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/sales/{name}',
      summary: 'The file with which the buyer takes the node in',
      role: 'operate',
      params,
      reply: object({ sale: opaque('a sale, as docs/protocol.md describes it') }),
      async handle({ params: { name: node } }) {
        const file = await sales.file(node);
        return file.ok ? ok({ sale: file.value }) : file;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/purchases',
      summary: 'Take in a node that another landlord sold to this console',
      role: 'administer',
      body: object({ sale: saleFile, pin: optional(digest), name: optional(name) }),
      reply: object({
        node: name,
        verified: flag,
        lease: leaseId,
        leases: list(object({ lease: leaseId, customer: name }), { max: 1 }),
        receipts,
      }),
      async handle({ body, caller }) {
        const { pin, name: called, ...rest } = body;
        const done = await buyNode(
          {
            ...rest,
            ...(pin === undefined ? {} : { pin }),
            ...(called === undefined ? {} : { name: called }),
            by: caller.name,
          },
          buying,
        );
        if (!done.ok) return done;
        const { identity, leases, ...bought } = done.value;
        return ok({
          ...bought,
          verified: identity === 'pinned',
          leases: [...leases],
          receipts: [...bought.receipts],
        });
      },
    }),
  ];
}
