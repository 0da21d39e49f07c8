import { unanswered } from '../../console/granting/asked.js';
import type { LeaseBook } from '../../console/granting/book.js';
import type { Lease } from '../../console/granting/record.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { provenReceipts, receiptTexts } from '../../console/nodes/receipts.js';
import type { KeyStore } from '../../console/store/port.js';
import { Records, type Stored } from '../../console/store/records.js';
import { thumbprint, type Pair } from '../../crypto/rsa.js';
import type { ConsoleCard } from '../../protocol/console-card.js';
import { digestText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { object } from '../../protocol/parse.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import type { Sale, SoldLease } from '../../protocol/sale.js';
import { identityOf } from '../../protocol/node-card.js';
import type { Inventory } from '../adoption/inventory.js';
import type { ClusterBook } from '../clusters/book.js';
import { askOnce, handedOn } from './handed-on.js';
import { saleRecordForm, type SaleRecord } from './record.js';

export interface SaleParts {
  readonly store: KeyStore;
  readonly pair: Pair;
  readonly nodes: NodeBook;
  readonly leases: LeaseBook;
  readonly inventory: Inventory;
  readonly clusters: ClusterBook;
  readonly facility: string;
  readonly now: () => number;
  readonly log: Log;
}

export interface WantedSale {
  readonly node: string;
  readonly to: readonly ConsoleCard[];
  readonly below: 'end' | 'keep';
  /** Absent: only what it would destroy is asked. */
  readonly destroys?: readonly string[];
  readonly consoles?: readonly string[];
  readonly by: string;
}

/** What the node answers to a sale, as far as the sale needs it. */
const soldForm = object({ pair: object({ id: digestText, jwk: publicJwk }), receipts: receiptTexts });

/**
 * The sales of nodes.
 *
 * INVARIANTS:
 * - Every sale is in the store before the node hears of it, and is asked until it is known what became of it.
 * - A node leaves the books of this console only when it has signed that it has another landlord.
 * - One record is settled by one attempt at a time (`#busy`).
 */
export class SaleBook {
  readonly #parts: SaleParts;
  readonly #records: Records<SaleRecord>;
  readonly #busy = new Map<string, Promise<Result<SaleRecord>>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SaleParts) {
    this.#parts = parts;
    this.#records = new Records(parts.store, 'sale/', saleRecordForm);
  }

  start(): void {
    this.#timer = setInterval(() => void this.#settleAll(), limits.settle_leases_ms);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#busy.values());
  }

  async all(): Promise<Result<readonly SaleRecord[]>> {
    const all = await this.#records.all();
    return all.ok ? ok(all.value.map(({ value }) => value)) : all;
  }

  /** Sells a node. Everything that this destroys must be named; without names nothing is done, and the refusal says which they are. */
  async sell(wanted: WantedSale): Promise<Result<SaleRecord>> {
    const { node: name, to, below, destroys, consoles, by } = wanted;
    const enrolled = to.map(({ key }) => thumbprint(key));
    const under = await this.#underWay(name);
    if (!under.ok) return under;
    if (under.value) {
      if (under.value.value.enrolled.join() !== enrolled.join())
        return refuse('change-pending', `${name} is being sold to ${under.value.value.to[0]?.name ?? ''}`);
      return this.#settle(under.value.name);
    }
    const node = this.#parts.nodes.get(name);
    if (!node.ok) return node;
    const { card } = node.value;
    if (card.level !== 0) return refuse('not-permitted', 'only the landlord of a node sells it');
    const running = await this.#parts.leases.running(name);
    if (!running.ok) return running;
    const record: SaleRecord = {
      node: name,
      state: 'selling',
      card,
      to: to.map(({ key, name: called }) => ({ key, name: called, role: 'administrator' })),
      enrolled,
      below,
      destroys: destroys ?? [],
      ...(consoles ? { consoles } : {}),
      leases: below === 'keep' && running.value ? soldLeases(running.value) : [],
      by,
      at: this.#parts.now(),
    };
    if (destroys === undefined) {
      // The node refuses a command that names nothing, with the list of what it would destroy.
      const asked = await askOnce(this.#parts.nodes, name, commandOf(record));
      return asked.ok ? refuse('internal', 'the node was handed on without a name') : asked;
    }
    const id = newId();
    const written = await this.#records.put(id, record, 0);
    return written.ok ? this.#settle(id) : written;
  }

  /** The file for the buyer. While the node's answer is missing, the node itself tells the buyer what the file does not. */
  async file(node: string): Promise<Result<Sale>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    const mine = all.value.filter(({ value }) => value.node === node && value.state !== 'refused');
    const last = mine.toSorted((a, b) => b.value.at - a.value.at)[0]?.value;
    if (!last) return refuse('not-found', `no sale of ${node}`);
    const { card, enrolled, sold, leases } = last;
    const { facility } = this.#parts;
    return ok({ v: 1, kind: 'sale', facility, to: enrolled, card, ...(sold ? { sold } : {}), leases });
  }

  async #underWay(node: string): Promise<Result<Stored<SaleRecord> | undefined>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    return ok(all.value.find(({ value }) => value.node === node && isOpen(value)));
  }

  async #settleAll(): Promise<void> {
    const all = await this.#records.all();
    if (!all.ok) return;
    await Promise.all(
      all.value.filter(({ value }) => isOpen(value)).map(async ({ name }) => this.#settle(name)),
    );
  }

  #settle(id: string): Promise<Result<SaleRecord>> {
    const under = this.#busy.get(id) ?? this.#goOn(id).finally(() => this.#busy.delete(id));
    this.#busy.set(id, under);
    return under;
  }

  async #goOn(id: string): Promise<Result<SaleRecord>> {
    const found = await this.#records.get(id);
    if (!found.ok) return found;
    let { value: sale } = found.value;
    if (sale.state === 'selling') {
      const asked = await this.#ask(id, sale);
      if (!asked.ok) return asked;
      sale = asked.value;
    }
    return sale.state === 'passing' ? this.#pass(id, sale) : ok(sale);
  }

  async #ask(id: string, sale: SaleRecord): Promise<Result<SaleRecord>> {
    const { nodes, pair, log } = this.#parts;
    const reply = await askOnce(nodes, sale.node, commandOf(sale), id);
    const { trouble: _, ...rest } = sale;
    if (!reply.ok) {
      const proof = await handedOn(pair, sale.card, reply.refusal);
      if (proof) {
        const { receipts, key } = proof;
        return this.#put(id, { ...rest, state: 'passing', sold: { receipts, key } });
      }
      return this.#notSold(id, sale, reply);
    }
    const answer = soldForm(pick(reply.value.result ?? {}), 'answer');
    if (!answer.ok) return answer;
    const receipts = await provenReceipts(answer.value.receipts, sale.card, log);
    return this.#put(id, { ...rest, state: 'passing', sold: { receipts, key: answer.value.pair.jwk } });
  }

  /** What a person hears at once need not be kept; what was answered later stands in the list. */
  async #notSold(id: string, sale: SaleRecord, refused: Refused): Promise<Result<SaleRecord>> {
    const { code } = refused.refusal;
    this.#parts.log.warn('sale-not-settled', { node: sale.node, code });
    if (unanswered.has(code) || code.startsWith('gateway-') || code === 'no-spare-pair')
      return sale.trouble?.code === code ? ok(sale) : this.#put(id, { ...sale, trouble: { code } });
    const found = sale.trouble ? undefined : await this.#records.get(id);
    const kept = found?.ok
      ? await this.#records.remove(id, found.value.revision)
      : await this.#put(id, { ...sale, state: 'refused', trouble: { code } });
    return kept.ok ? refused : kept;
  }

  /** What this console kept of the node is settled with it. Each step may be done twice. */
  async #pass(id: string, sale: SaleRecord): Promise<Result<SaleRecord>> {
    const { nodes, leases, inventory, clusters, now, log } = this.#parts;
    const { node, card, by, sold, to } = sale;
    const receipts = sold?.receipts ?? [];
    const settled = await leases.passOn(node, receipts, sale.below === 'keep');
    if (!settled.ok) return settled;
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const known = nodes.get(node);
    // The node may have come back meanwhile, bought by this very console.
    if (known.ok && known.value.card.lease === card.lease) {
      const retired = { at: now(), by, identity: identity.value.id, soldTo: to[0]?.name ?? '', receipts };
      const kept = await inventory.retire({ ...inventory.of(node), retired }, identity.value.id);
      if (!kept.ok) return kept;
      const removed = await nodes.remove(node);
      if (!removed.ok) return removed;
    }
    // The others of its cluster take their new boundary now, or once they can be reached.
    const left = nodes.get(node).ok ? undefined : await clusters.forget(node, by);
    if (left?.ok === false) log.warn('sold-still-in-cluster', { node, code: left.refusal.code });
    return this.#put(id, { ...sale, state: 'sold' });
  }

  async #put(id: string, sale: SaleRecord): Promise<Result<SaleRecord>> {
    const written = await this.#records.put(id, sale);
    return written.ok ? ok(sale) : written;
  }
}

function isOpen({ state }: SaleRecord): boolean {
  return state === 'selling' || state === 'passing';
}

function commandOf({ to, below, destroys, consoles }: SaleRecord) {
  return { type: 'node.transfer', to, below, destroys, ...(consoles ? { consoles } : {}) } as const;
}

function pick({ pair, receipts }: Readonly<Record<string, unknown>>): unknown {
  return { pair, receipts };
}

function soldLeases(running: Lease): readonly SoldLease[] {
  const { customer, to, lease, key, rights, until, destroyAfter } = running;
  if (lease === undefined || key === undefined) return [];
  return [{ customer, to, lease, key, rights, until, destroyAfter }];
}
