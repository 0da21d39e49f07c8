import type { PublicKey } from '../../crypto/rsa.js';
import { publicKeyFromJwk } from '../../crypto/rsa.js';
import { route, type Route } from '../api/route.js';
import { digest, list, name, object, type Shape, type ShapeOf } from '../api/shape.js';
import type { KeyStore } from '../store/port.js';
import { Records, type Stored } from '../store/records.js';
import { consoleCardForm, type ConsoleCard } from '../../protocol/console-card.js';
import { limits } from '../../protocol/limits.js';
import * as p from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { nameText } from '../../protocol/fields.js';

const customerForm = p.object({
  name: nameText,
  consoles: p.list(consoleCardForm, { min: 1, max: limits.consoles_per_level_max }),
  /** Consoles to which the customer leases on: let in at the gateway, to its nodes, and enrolled nowhere by us. */
  guests: p.optional(p.list(consoleCardForm, { max: limits.guests_per_customer_max })),
});
export type Customer = p.Parsed<typeof customerForm>;

const cardShape: Shape<ConsoleCard> = {
  parse: consoleCardForm,
  schema: { type: 'object', description: 'a console card, as `init` of a console writes it' },
};
const cards = list(object({ name, id: digest }), { max: 64 });
const view = object({ name, consoles: cards, guests: cards });

/** Who leases here, and with which consoles they speak. Their keys came to the landlord by a way the customer vouches for. */
export class Customers {
  readonly #records: Records<Customer>;

  readonly #guestsChanged: () => void;

  constructor(store: KeyStore, guestsChanged: () => void) {
    this.#guestsChanged = guestsChanged;
    this.#records = new Records(store, 'customer/', customerForm);
  }

  async get(customer: string): Promise<Result<Stored<Customer>>> {
    return this.#records.get(customer);
  }

  async all(): Promise<Result<readonly Stored<Customer>[]>> {
    return this.#records.all();
  }

  /** Whose console this is. */
  async ownerOf(key: PublicKey): Promise<string | undefined> {
    const all = await this.#records.all();
    if (!all.ok) return undefined;
    return all.value.find(({ value }) => keysOf(value).some(({ id }) => id === key.id))?.name;
  }

  /** The customers among whose guests this console is. */
  async hostsOf(consoles: readonly string[]): Promise<readonly string[]> {
    const all = await this.#records.all();
    if (!all.ok) return [];
    const welcome = (customer: Customer): boolean =>
      idsOf(guestsOf(customer)).some((id) => consoles.includes(id));
    return all.value.filter(({ value }) => welcome(value)).map(({ name }) => name);
  }

  async #admit(name: string, guests: readonly ConsoleCard[]): Promise<Result<Customer>> {
    const found = await this.#records.get(name);
    if (!found.ok) return found;
    const customer = { ...found.value.value, guests };
    const written = await this.#records.put(name, customer, found.value.revision);
    if (!written.ok) return written;
    this.#guestsChanged();
    return ok(customer);
  }

  async put(customer: Customer): Promise<Result<Customer>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    const mine = new Set(keysOf(customer).map(({ id }) => id));
    const other = all.value.find(
      ({ name, value }) => name !== customer.name && keysOf(value).some(({ id }) => mine.has(id)),
    );
    if (other) return refuse('already-there', `one of these keys belongs to ${other.name}`);
    const before = all.value.find(({ name }) => name === customer.name);
    const kept = { ...customer, guests: before?.value.guests ?? [] };
    const written = await this.#records.put(customer.name, kept, before?.revision ?? 0);
    return written.ok ? ok(kept) : written;
  }

  routes(): Route[] {
    const named = object({ name });
    return [
      route({
        method: 'GET',
        path: '/api/v1/customers',
        summary: 'All customers and the consoles they speak with',
        role: 'view',
        reply: object({ customers: list(view, { max: limits.customers_max }) }),
        handle: async () => {
          const all = await this.all();
          return all.ok ? ok({ customers: all.value.map(({ value }) => viewOf(value)) }) : all;
        },
      }),
      route({
        method: 'PUT',
        path: '/api/v1/customers/{name}',
        summary: 'Set the consoles of a customer; leases that run keep the consoles they were granted to',
        role: 'administer',
        params: named,
        body: object({ consoles: list(cardShape, { min: 1, max: limits.consoles_per_level_max }) }),
        reply: view,
        handle: async ({ params, body }) => {
          const put = await this.put({ name: params.name, consoles: body.consoles });
          return put.ok ? ok(viewOf(put.value)) : put;
        },
      }),
      route({
        method: 'PUT',
        path: '/api/v1/customers/{name}/guests',
        summary:
          'Set whose consoles the gateway lets through to the nodes of a customer, because it leases them on',
        role: 'administer',
        params: named,
        body: object({ guests: list(cardShape, { max: limits.guests_per_customer_max }) }),
        reply: view,
        handle: async ({ params, body }) => {
          const admitted = await this.#admit(params.name, body.guests);
          return admitted.ok ? ok(viewOf(admitted.value)) : admitted;
        },
      }),
    ];
  }
}

export function keysOf(customer: Customer): readonly PublicKey[] {
  return customer.consoles.flatMap(({ key }) => publicKeyFromJwk(key) ?? []);
}

function guestsOf(customer: Customer): readonly ConsoleCard[] {
  return customer.guests ?? [];
}

function idsOf(cards: readonly ConsoleCard[]): string[] {
  return cards.map(({ key }) => publicKeyFromJwk(key)?.id ?? '');
}

function viewOf(customer: Customer): ShapeOf<typeof view> {
  const lines = (cards: readonly ConsoleCard[]): { name: string; id: string }[] => {
    const ids = idsOf(cards);
    return cards.map((card, i) => ({ name: card.name, id: ids[i] ?? '' }));
  };
  return { name: customer.name, consoles: lines(customer.consoles), guests: lines(guestsOf(customer)) };
}
