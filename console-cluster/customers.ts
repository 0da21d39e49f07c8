import type { PublicKey } from '../crypto/rsa.js';
import { publicKeyFromJwk } from '../crypto/rsa.js';
import { route, type Route } from '../console/api/route.js';
import { digest, list, name, object, type Shape } from '../console/api/shape.js';
import type { KeyStore } from '../console/store/port.js';
import { Records, type Stored } from '../console/store/records.js';
import { consoleCardForm, type ConsoleCard } from '../protocol/console-card.js';
import { limits } from '../protocol/limits.js';
import * as p from '../protocol/parse.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { nameText } from '../protocol/fields.js';

const customerForm = p.object({
  name: nameText,
  consoles: p.list(consoleCardForm, { min: 1, max: limits.consoles_per_level_max }),
});
export type Customer = p.Parsed<typeof customerForm>;

const cardShape: Shape<ConsoleCard> = {
  parse: consoleCardForm,
  schema: { type: 'object', description: 'a console card, as `init` of a console writes it' },
};
const view = object({ name, consoles: list(object({ name, id: digest }), { max: 64 }) });

/** Who leases here, and with which consoles they speak. Their keys came to the landlord by a way the customer vouches for. */
export class Customers {
  readonly #records: Records<Customer>;

  constructor(store: KeyStore) {
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

  async put(customer: Customer): Promise<Result<Customer>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    const mine = new Set(keysOf(customer).map(({ id }) => id));
    const other = all.value.find(
      ({ name, value }) => name !== customer.name && keysOf(value).some(({ id }) => mine.has(id)),
    );
    if (other) return refuse('already-there', `one of these keys belongs to ${other.name}`);
    const revision = all.value.find(({ name }) => name === customer.name)?.revision ?? 0;
    const written = await this.#records.put(customer.name, customer, revision);
    return written.ok ? ok(customer) : written;
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
    ];
  }
}

export function keysOf(customer: Customer): readonly PublicKey[] {
  return customer.consoles.flatMap(({ key }) => publicKeyFromJwk(key) ?? []);
}

function viewOf(customer: Customer): { name: string; consoles: { name: string; id: string }[] } {
  const ids = keysOf(customer);
  return {
    name: customer.name,
    consoles: customer.consoles.map((card, i) => ({ name: card.name, id: ids[i]?.id ?? '' })),
  };
}
