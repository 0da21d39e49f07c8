import type { Customers } from '../../console/granting/customers.js';
import type { LeaseBook } from '../../console/granting/book.js';
import type { HeldLeases } from '../../console/leases/take.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { NodeSession, type Clocks } from '../../console/nodes/session.js';
import { publicKeyFromJwk, thumbprint, type Pair } from '../../crypto/rsa.js';
import { limits } from '../../protocol/limits.js';
import { identityOf, levelKeyOf, type NodeCard } from '../../protocol/node-card.js';
import { list, opaqueObject } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Sale, SoldLease } from '../../protocol/sale.js';
import { soldIn, type Sold } from '../../protocol/sold.js';
import type { Inventory } from '../adoption/inventory.js';
import { handedOn } from './handed-on.js';

export interface Buying {
  readonly pair: Pair;
  readonly nodes: NodeBook;
  readonly inventory: Inventory;
  readonly leases: LeaseBook;
  readonly customers: Customers;
  readonly held: HeldLeases;
  readonly clocks: Clocks;
  readonly keyBits?: number | undefined;
}

export interface WantedPurchase {
  readonly sale: Sale;
  /** The identity of the node by its label. */
  readonly pin?: string;
  /** What the node is called here, if not as there. */
  readonly name?: string;
  readonly by: string;
}

export interface Bought {
  readonly node: string;
  readonly identity: 'pinned' | 'unverified';
  readonly lease: string;
  /** Leases that go on here, and their customers. */
  readonly leases: readonly { readonly lease: string; readonly customer: string }[];
  readonly receipts: readonly string[];
}

const levelsForm = list(opaqueObject, { max: limits.levels_max });

/**
 * Takes in a node that another landlord sold: what the node signed is verified, the node itself is asked whether it obeys, and only then it is in the
 * books. Every step may be done twice, so that what a crash cut off is simply asked for again.
 */
export async function buyNode(wanted: WantedPurchase, parts: Buying): Promise<Result<Bought>> {
  const { sale, pin, by } = wanted;
  const { nodes, inventory, pair } = parts;
  if (!sale.to.includes(pair.public.id))
    return refuse('not-for-us', `it is for ${sale.to.join(', ')}; this console is ${pair.public.id}`);
  const given = { ...sale.card, name: wanted.name ?? sale.card.name };
  const identity = identityOf(given);
  if (!identity.ok) return identity;
  const { id } = identity.value;
  if (pin !== undefined && pin !== id)
    return refuse('wrong-identity', `the node is ${id} in the file, ${pin} by its label`);
  const place = placeFor(given.name, id, nodes);
  if (!place.ok) return place;
  const there = nodes.list().find((one) => one.id === id)?.card;
  const sold = sale.sold
    ? await soldIn(identity.value, sale.sold, given.lease)
    : await askWhoHolds(given, parts);
  if (!sold.ok) return sold;
  if (!sale.to.includes(sold.value.holder))
    return refuse('not-for-us', `the node signed that it was handed to ${sold.value.holder}`);
  const card: NodeCard = { ...given, level: 0, lease: sold.value.lease, key: sold.value.key };
  const chain = await chainOf(card, parts);
  if (!chain.ok) return chain;
  const goOn = sale.leases.filter(({ lease }) => chain.value.some((one) => one['lease'] === lease));
  const taken = await takeUp(card.name, goOn, chain.value, parts);
  if (!taken.ok) return taken;
  const { receipts } = sold.value;
  const known = pin === undefined ? 'unverified' : 'pinned';
  const bought = { at: parts.clocks.wall(), by, from: sale.facility, identity: known, receipts } as const;
  const noted = await inventory.put({ ...inventory.of(card.name), bought });
  if (!noted.ok) return noted;
  const added = place.value === 'there' ? await nodes.replace(card) : await nodes.add(card);
  if (!added.ok) return added;
  // Who leased it before and buys it now holds no lease of it any more.
  if (there && there.level > 0 && !chain.value.some((one) => one['lease'] === there.lease))
    await parts.held.learn({ lease: there.lease, over: true });
  const leases = goOn.map(({ lease, customer }) => ({ lease, customer }));
  return ok({ node: card.name, identity: known, lease: card.lease, leases, receipts });
}

/** A node that was bought and then found no place here would be one that nobody commands. */
function placeFor(name: string, id: string, nodes: NodeBook): Result<'free' | 'there'> {
  const all = nodes.list();
  const same = all.find((one) => one.id === id);
  if (same && same.card.name !== name)
    return refuse('already-there', `this node is here as ${same.card.name}: --name ${same.card.name}`);
  if (!same && all.some(({ card }) => card.name === name))
    return refuse(
      'already-there',
      `another node is called ${name} here: --name gives this one a name of its own`,
    );
  return ok(same ? 'there' : 'free');
}

/** The file was written before the node had answered: it gives its word to the console that bought it, under the pair of before. */
async function askWhoHolds(card: NodeCard, parts: Buying): Promise<Result<Sold>> {
  const asked = await conversed(card, parts, 'status');
  if (asked.ok) return refuse('not-sold-yet', card.name);
  const proof = await handedOn(parts.pair, card, asked.refusal);
  if (proof) return ok(proof);
  return asked.refusal.code === 'unknown-console' ? refuse('not-sold-yet', card.name) : asked;
}

/** The first question under the new pair: whether the node obeys, and who leases there. */
async function chainOf(
  card: NodeCard,
  parts: Buying,
): Promise<Result<readonly Readonly<Record<string, unknown>>[]>> {
  const reply = await conversed(card, parts, 'levels.read');
  return reply.ok ? levelsForm(reply.value['levels'], 'levels') : reply;
}

async function conversed(
  card: NodeCard,
  { nodes, pair, clocks, keyBits }: Buying,
  type: 'status' | 'levels.read',
): Promise<Result<Readonly<Record<string, unknown>>>> {
  const [key, identity] = [levelKeyOf(card), identityOf(card)];
  if (!key.ok) return key;
  if (!identity.ok) return identity;
  const channel = await nodes.connectTo(card);
  if (!channel.ok) return channel;
  const session = new NodeSession(channel.value, pair, identity.value.id, clocks, { keyBits });
  const to = { level: card.level, lease: card.lease, key: key.value };
  const reply = await session.request({ to, command: { type } });
  session.close('asked');
  return reply.ok ? ok(reply.value.result ?? {}) : reply;
}

/** What the file says of leases counts as far as the node has them; when they end, and with which rights, is the node's word. */
async function takeUp(
  node: string,
  goOn: readonly SoldLease[],
  chain: readonly Readonly<Record<string, unknown>>[],
  { customers, leases }: Buying,
): Promise<Result<true>> {
  for (const one of goOn) {
    const { customer, to, lease, key, rights, until, destroyAfter } = one;
    const said = chain.find((level) => level['lease'] === lease);
    const known = await customers.get(customer);
    const consoles = to.map(
      ({ key: jwk, name }) => ({ v: 1, kind: 'console-card', name, key: jwk }) as const,
    );
    if (!known.ok) {
      const made = await customers.put({ name: customer, consoles });
      if (!made.ok) return made;
    } else if (!sameKeys(known.value.value.consoles, consoles))
      return refuse('already-there', `another customer is called ${customer} here`);
    const { level: at, until: ends } = said ?? {};
    const taken = await leases.takeUp({
      node,
      customer,
      state: 'granted',
      to,
      rights,
      until: typeof ends === 'number' ? ends : until,
      destroyAfter,
      lease,
      level: typeof at === 'number' ? at : 1,
      key,
      receipts: [],
      enrolled: to.map((console) => thumbprint(console.key)),
    });
    if (!taken.ok) return taken;
  }
  return ok(true);
}

type Keyed = { readonly key: Parameters<typeof publicKeyFromJwk>[0] };
function sameKeys(a: readonly Keyed[], b: readonly Keyed[]): boolean {
  const ids = (all: readonly Keyed[]): string =>
    all
      .map(({ key }) => publicKeyFromJwk(key)?.id ?? '')
      .toSorted()
      .join();
  return ids(a) === ids(b);
}
