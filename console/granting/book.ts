import type { NodeBook } from '../nodes/book.js';
import { provenReceipts, receiptTexts } from '../nodes/receipts.js';
import type { KeyStore } from '../store/port.js';
import { Records, type Stored } from '../store/records.js';
import type { Right } from '../../protocol/commands.js';
import { isErrorCode } from '../../protocol/errors/index.js';
import type { HandOver } from '../../protocol/hand-over.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import type { Way } from '../../protocol/node-card.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { keysOf, type Customers } from './customers.js';
import { grantedForm, replacedForm, rotationOf, unanswered } from './asked.js';
import { chainForm, endedThere } from './ended-there.js';
import { leaseForm, type Lease } from './record.js';

export interface Grant {
  readonly customer: string;
  readonly nodes: readonly string[];
  readonly rights: readonly Right[];
  readonly until: number;
  readonly destroyAfter: number;
}

export interface LeaseBookParts {
  readonly store: KeyStore;
  readonly nodes: NodeBook;
  readonly customers: Customers;
  readonly facility: string;
  /** How remote consoles reach the nodes. */
  gateways(): Promise<readonly Way[]>;
  readonly now: () => number;
  readonly log: Log;
  /** Where the records lie in the store. */
  readonly prefix?: string;
  /** Told when a node has confirmed that a lease is over. */
  readonly ended: (lease: Lease) => void;
}

/**
 * INVARIANTS:
 * - Every lease is in the store before the node hears of it.
 * - One node has at most one lease here that is not over.
 * - One record is settled by one attempt at a time (`#busy`).
 */
export class LeaseBook {
  readonly #parts: LeaseBookParts;
  readonly #records: Records<Lease>;
  readonly #busy = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LeaseBookParts) {
    this.#parts = parts;
    this.#records = new Records(parts.store, parts.prefix ?? 'lease/', leaseForm);
  }

  /** Takes up what a crash or an absent node left open. */
  start(): void {
    this.#timer = setInterval(() => void this.#settleAll(), limits.settle_leases_ms);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async all(): Promise<Result<readonly Stored<Lease>[]>> {
    return this.#records.all();
  }

  /** Decides to lease, then asks each node. A node that does not answer now is asked again until it does. */
  async grant(wanted: Grant): Promise<Result<readonly Stored<Lease>[]>> {
    const customer = await this.#parts.customers.get(wanted.customer);
    if (!customer.ok) return refuse('not-found', `no customer ${wanted.customer}`);
    const present = await this.all();
    if (!present.ok) return present;
    for (const node of wanted.nodes) {
      const known = this.#parts.nodes.get(node);
      if (!known.ok) return known;
      const other = present.value.find(({ value }) => value.node === node && !isOver(value));
      if (other) return refuse('already-leased', `${node} is leased to ${other.value.customer}`);
    }
    const { consoles } = customer.value.value;
    const made = [...new Set(wanted.nodes)].map((node): [string, Lease] => [
      newId(),
      {
        node,
        customer: wanted.customer,
        state: 'granting',
        to: consoles.map(({ key, name }) => ({ key, name, role: 'administrator' })),
        rights: wanted.rights,
        until: wanted.until,
        destroyAfter: wanted.destroyAfter,
        receipts: [],
        enrolled: keysOf(customer.value.value).map(({ id }) => id),
      },
    ]);
    const written = await this.#parts.store.write(made.map(([id, lease]) => this.#records.op(id, lease)));
    if (!written.ok) return written;
    await Promise.all(made.map(async ([id]) => this.#settle(id)));
    return this.#these(made.map(([id]) => id));
  }

  /** Ends a lease. Who asks must have named the lease itself: its keys are destroyed with it. */
  async end(leaseId: string): Promise<Result<readonly Stored<Lease>[]>> {
    const all = await this.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.lease === leaseId);
    if (!found || isOver(found.value)) return refuse('lease-unknown', leaseId);
    const ending: Lease = { ...found.value, state: 'ending', endId: found.value.endId ?? newId() };
    const written = await this.#records.put(found.name, ending, found.revision);
    if (!written.ok) return written;
    await this.#settle(found.name);
    return this.#these([found.name]);
  }

  /**
   * Another pair for the level of a lease, and with it another lease on the same terms in its place: the node destroys everything of the old one and of
   * those below it, all of which must be named. Without names nothing is done: the node's refusal says which they are.
   */
  async replace(leaseId: string, destroys?: readonly string[]): Promise<Result<readonly Stored<Lease>[]>> {
    const all = await this.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.lease === leaseId);
    if (!found || !['granted', 'replacing'].includes(found.value.state))
      return refuse('lease-unknown', leaseId);
    const { name, value: lease, revision } = found;
    if (destroys === undefined) return this.#whatGoes(lease);
    // What was asked and has no answer yet is asked again to the letter: it may have acted.
    if (lease.state === 'granted') {
      const { trouble: _, ...rest } = lease;
      const replacing: Lease = { ...rest, state: 'replacing', endId: newId(), destroys };
      const written = await this.#records.put(name, replacing, revision);
      if (!written.ok) return written;
    }
    await this.#settle(name);
    const after = await this.#records.get(name);
    if (!after.ok) return after;
    const { state, trouble, endId } = after.value.value;
    if (state === 'granted' && trouble?.code === 'destroys-not-named') return this.#whatGoes(lease);
    if (state === 'granted' && trouble)
      return refuse(isErrorCode(trouble.code) ? trouble.code : 'unknown-refusal', lease.node);
    return this.#these(state === 'ended' && endId !== undefined ? [name, endId] : [name]);
  }

  /** The node refuses a command that names nothing, with the list of what it would destroy. */
  async #whatGoes(lease: Lease): Promise<Refused> {
    const asked = await this.#parts.nodes.request(lease.node, rotationOf({ ...lease, destroys: [] }));
    return asked.ok ? refuse('internal', 'the node replaced a pair without a name') : asked;
  }

  async extend(leaseId: string, until: number): Promise<Result<readonly Stored<Lease>[]>> {
    const all = await this.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.lease === leaseId && value.state === 'granted');
    if (!found) return refuse('lease-unknown', leaseId);
    const reply = await this.#parts.nodes.request(found.value.node, {
      type: 'lease.extend',
      lease: leaseId,
      until,
    });
    if (!reply.ok) return reply;
    const given = receiptTexts(reply.value.result?.['receipts'] ?? [], 'receipts');
    const receipts = await this.#receipts(found.value, given.ok ? given.value : []);
    const written = await this.#records.put(found.name, { ...found.value, until, receipts }, found.revision);
    return written.ok ? this.#these([found.name]) : written;
  }

  /** All leases of a customer that run, as the file that it takes in. */
  async handOver(customer: string): Promise<Result<HandOver>> {
    const known = await this.#parts.customers.get(customer);
    if (!known.ok) return refuse('not-found', `no customer ${customer}`);
    const all = await this.all();
    if (!all.ok) return all;
    const gateways = await this.#parts.gateways();
    const leases: HandOver['leases'][number][] = [];
    for (const { value } of all.value) {
      if (value.customer !== customer || value.state !== 'granted') continue;
      const node = this.#parts.nodes.get(value.node);
      const { lease, level, key } = value;
      if (!node.ok || lease === undefined || level === undefined || key === undefined) continue;
      const ways = [...node.value.card.ways, ...gateways].slice(0, 8);
      leases.push({
        card: { ...node.value.card, lease, level, key, ways },
        rights: value.rights,
        until: value.until,
      });
    }
    if (leases.length === 0) return refuse('not-found', `no lease of ${customer} runs yet`);
    const to = keysOf(known.value.value).map(({ id }) => id);
    const { facility } = this.#parts;
    return ok({ v: 1, kind: 'hand-over', facility, customer, to, gateways, leases });
  }

  /** The lease of a node that runs. While something of it is asked of the node, nothing else can be said of it. */
  async running(node: string): Promise<Result<Lease | undefined>> {
    const all = await this.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.node === node && !isOver(value))?.value;
    return found && isOpen(found)
      ? refuse('change-pending', `the lease of ${node} is ${found.state}`)
      : ok(found);
  }

  /** The node has another landlord: what is leased there has ended with that, or goes on under the new one. May be said twice. */
  async passOn(node: string, receipts: readonly string[], goesOn: boolean): Promise<Result<true>> {
    const all = await this.all();
    if (!all.ok) return all;
    for (const { name, value, revision } of all.value) {
      if (value.node !== node || isOver(value)) continue;
      const kept = [...value.receipts, ...receipts].slice(-limits.receipts_per_lease_max);
      const over = { ...value, receipts: kept, endedAt: this.#parts.now() };
      const next: Lease = { ...over, state: goesOn ? 'passed' : 'ended' };
      const written = await this.#records.put(name, next, revision);
      if (!written.ok) return written;
      this.#parts.ended(next);
    }
    return ok(true);
  }

  /** A lease that another landlord granted, of a node that is ours now. May be said twice. */
  async takeUp(lease: Lease & { readonly lease: string }): Promise<Result<true>> {
    const all = await this.all();
    if (!all.ok) return all;
    if (all.value.some(({ value }) => value.lease === lease.lease && !isOver(value))) return ok(true);
    const written = await this.#records.put(newId(), lease);
    return written.ok ? ok(true) : written;
  }

  async #these(ids: readonly string[]): Promise<Result<readonly Stored<Lease>[]>> {
    const found: Stored<Lease>[] = [];
    for (const id of ids) {
      const record = await this.#records.get(id);
      if (!record.ok) return record;
      found.push(record.value);
    }
    return ok(found);
  }

  async #settleAll(): Promise<void> {
    const all = await this.all();
    if (!all.ok) return;
    const open = all.value.filter(({ value }) => isOpen(value) || this.#isGone(value));
    await Promise.all(open.map(async ({ name }) => this.#settle(name)));
  }

  async #settle(id: string): Promise<void> {
    if (this.#busy.has(id)) return;
    this.#busy.add(id);
    try {
      const record = await this.#records.get(id);
      if (!record.ok) return;
      const { value, revision } = record.value;
      const next = await this.#next(id, value);
      if (!next) return;
      const { inItsPlace, ...lease } = next;
      const ops = [this.#records.op(id, lease), ...(inItsPlace ? [this.#records.op(...inItsPlace)] : [])];
      const written = await this.#parts.store.write(ops, [this.#records.condition(id, revision)]);
      if (written.ok && lease.state === 'ended') this.#parts.ended(lease);
    } finally {
      this.#busy.delete(id);
    }
  }

  /** What became of it; undefined: nothing is known yet. */
  async #next(id: string, lease: Lease): Promise<Next | undefined> {
    switch (lease.state) {
      case 'granting':
        return this.#askGrant(id, lease);
      case 'ending':
        return this.#askEnd(lease);
      case 'replacing':
        return this.#askReplace(lease);
      case 'granted':
        return this.#isGone(lease) ? this.#askEnded(lease) : undefined;
      case 'refused':
      case 'ended':
      case 'passed':
        return undefined;
    }
  }

  async #askGrant(id: string, lease: Lease): Promise<Lease | undefined> {
    const { to, rights, until, destroyAfter } = lease;
    const command = { type: 'lease.grant', to, rights, until, destroyAfter } as const;
    const reply = await this.#parts.nodes.request(lease.node, command, { jti: id });
    if (!reply.ok) return this.#later(lease, reply.refusal.code, 'refused');
    const answer = grantedForm(reply.value.result ?? {}, 'answer');
    if (!answer.ok) return this.#later(lease, answer.refusal.code, 'refused');
    const { trouble: _, ...rest } = lease;
    const { level, pair } = answer.value;
    const receipts = await this.#receipts(lease, answer.value.receipts);
    return { ...rest, state: 'granted', lease: answer.value.lease, level, key: pair.jwk, receipts };
  }

  async #askEnd(lease: Lease): Promise<Lease | undefined> {
    if (lease.lease === undefined || lease.endId === undefined) return undefined;
    const command = { type: 'lease.end', lease: lease.lease } as const;
    const reply = await this.#parts.nodes.request(lease.node, command, { jti: lease.endId });
    const { trouble: _, ...rest } = lease;
    // A lease that the node does not know any more ended there by itself, at its time.
    const given = reply.ok ? receiptTexts(reply.value.result?.['receipts'] ?? [], 'receipts') : undefined;
    const receipts = await this.#receipts(lease, given?.ok ? given.value : []);
    if (reply.ok || reply.refusal.code === 'lease-unknown')
      return { ...rest, state: 'ended', endedAt: this.#parts.now(), receipts };
    return this.#later(lease, reply.refusal.code, 'granted');
  }

  /** Its node speaks of the chain, and this lease is not in it: it was given back, or its time is over. */
  #isGone({ state, node, lease }: Lease): boolean {
    const known = this.#parts.nodes.get(node);
    if (state !== 'granted' || lease === undefined || !known.ok) return false;
    const chain = chainForm(known.value.status?.['chain'], 'chain');
    return chain.ok && !chain.value.some((one) => one['lease'] === lease);
  }

  /** What was heard last may be older than the lease, so the node is asked, and its receipt of the end kept. */
  async #askEnded(lease: Lease): Promise<Lease | undefined> {
    const ended = await endedThere(this.#parts.nodes, lease);
    if (!ended.ok || ended.value === undefined) return undefined;
    const receipts = await this.#receipts(lease, ended.value);
    const { trouble: _, ...rest } = lease;
    return { ...rest, state: 'ended', endedAt: this.#parts.now(), receipts };
  }

  async #askReplace(lease: Lease): Promise<Next | undefined> {
    const { endId } = lease;
    if (endId === undefined) return undefined;
    const reply = await this.#parts.nodes.request(lease.node, rotationOf(lease), { jti: endId });
    if (!reply.ok) return this.#later(lease, reply.refusal.code, 'granted');
    const answer = replacedForm(reply.value.result ?? {}, 'answer');
    if (!answer.ok) return this.#later(lease, answer.refusal.code, 'granted');
    const { level, pair, lease: next } = answer.value;
    const { trouble: _, endId: __, destroys: ___, ...rest } = lease;
    // One answer tells of both, and each keeps it whole.
    const receipts = await this.#receipts({ ...lease, receipts: [] }, answer.value.receipts);
    const fresh: Lease = { ...rest, state: 'granted', lease: next, level, key: pair.jwk, receipts };
    return {
      ...lease,
      state: 'ended',
      endedAt: this.#parts.now(),
      receipts: [...lease.receipts, ...receipts].slice(-limits.receipts_per_lease_max),
      inItsPlace: [endId, fresh],
    };
  }

  async #receipts(lease: Lease, given: readonly string[]): Promise<readonly string[]> {
    const node = this.#parts.nodes.get(lease.node);
    if (!node.ok) return lease.receipts;
    const proven = await provenReceipts(given, node.value.card, this.#parts.log);
    return [...lease.receipts, ...proven].slice(-limits.receipts_per_lease_max);
  }

  /** What the node signed about a lease, one receipt a line, as `bmonitor receipt verify` reads it. */
  async receipts(leaseId: string): Promise<Result<readonly string[]>> {
    const all = await this.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.lease === leaseId);
    return found ? ok(found.value.receipts) : refuse('lease-unknown', leaseId);
  }

  #later(lease: Lease, code: string, refused: Lease['state']): Lease | undefined {
    this.#parts.log.warn('lease-not-settled', { node: lease.node, state: lease.state, code });
    if (lease.trouble?.code === code && unanswered.has(code)) return undefined;
    return { ...lease, state: unanswered.has(code) ? lease.state : refused, trouble: { code } };
  }
}

/** A lease as it becomes, and the one that stands in its place from then on. */
type Next = Lease & { readonly inItsPlace?: readonly [string, Lease] };

/** A node's answer is missing. */
function isOpen({ state }: Lease): boolean {
  return state === 'granting' || state === 'ending' || state === 'replacing';
}

export function isOver(lease: Lease): boolean {
  return lease.state === 'ended' || lease.state === 'refused' || lease.state === 'passed';
}
