import type { KeyStore, Op } from '../../console/store/port.js';
import { Records } from '../../console/store/records.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { list, object, text } from '../../protocol/parse.js';
import { ok, type Result } from '../../protocol/result.js';
import type { Plan } from './compute.js';
import {
  boundaryForm,
  changeForm,
  clusterForm,
  exceptionForm,
  type Boundary,
  type Change,
  type Cluster,
  type Exception,
} from './record.js';

const addressForm = object({ addresses: list(text({ max: 100 }), { max: 64 }) });

/**
 * What people decided of clusters and exceptions, what is known of addresses, and what each node has of it: in memory as in the store.
 */
export class Ledger {
  clusters = new Map<string, Cluster>();
  exceptions = new Map<string, Exception>();
  readonly addresses = new Map<string, readonly string[]>();
  readonly boundaries = new Map<string, Boundary>();
  /** Nodes that may hold on trial what was never decided, because the console died. */
  readonly interrupted = new Set<string>();
  readonly cluster: Records<Cluster>;
  readonly exception: Records<Exception>;
  readonly change: Records<Change>;
  readonly #boundary: Records<Boundary>;
  readonly #address: Records<{ readonly addresses: readonly string[] }>;
  /** Who has an address. */
  readonly #holders = new Map<string, string>();
  /** What was told of once already. */
  readonly #doubted = new Set<string>();
  readonly #store: KeyStore;
  readonly #log: Log;

  constructor(store: KeyStore, log: Log) {
    this.#store = store;
    this.#log = log;
    this.cluster = new Records(store, 'cluster/', clusterForm);
    this.exception = new Records(store, 'exception/', exceptionForm);
    this.change = new Records(store, 'change/', changeForm);
    this.#boundary = new Records(store, 'boundary/', boundaryForm);
    this.#address = new Records(store, 'address/', addressForm);
  }

  async open(): Promise<Result<true>> {
    for (const read of [
      async () => into(this.cluster, this.clusters),
      async () => into(this.exception, this.exceptions),
      async () => into(this.#boundary, this.boundaries),
    ]) {
      const done = await read();
      if (!done.ok) return done;
    }
    const addresses = await this.#address.all();
    if (!addresses.ok) return addresses;
    for (const { name, value } of addresses.value) {
      this.addresses.set(name, value.addresses);
      for (const address of value.addresses) this.#holders.set(address, name);
    }
    const changes = await this.change.all();
    if (!changes.ok) return changes;
    for (const { value } of changes.value) for (const node of value.nodes) this.interrupted.add(node);
    const cleared = await this.#store.write(changes.value.map(({ name }) => this.changeOver(name)));
    return cleared.ok ? ok(true) : cleared;
  }

  get plan(): Plan {
    return this;
  }

  changeOver(id: string): Op {
    return { type: 'delete', key: `change/${id}` };
  }

  boundaryOp(node: string, boundary: Boundary): Op {
    return this.#boundary.op(node, boundary);
  }

  /** What is known of a node now. The same again is not written. */
  async note(node: string, boundary: Boundary): Promise<void> {
    const before = this.boundaries.get(node);
    if (before && JSON.stringify({ ...before, since: 0 }) === JSON.stringify({ ...boundary, since: 0 }))
      return;
    this.boundaries.set(node, boundary);
    const written = await this.#boundary.put(node, boundary);
    if (!written.ok) this.#log.error('boundary-unwritten', { node, code: written.refusal.code });
  }

  /**
   * Did the node move? An address that another node has is not believed: whoever says so lies or is confused, and its cluster would be opened to the other's
   * node. It is believed once the other says that it has another one.
   */
  heard(node: string, said: readonly string[]): boolean {
    const addresses = said.filter((address) => this.#mayHave(node, address));
    if (JSON.stringify(addresses) === JSON.stringify(this.addresses.get(node))) return false;
    for (const address of this.addresses.get(node) ?? []) this.#holders.delete(address);
    for (const address of addresses) this.#holders.set(address, node);
    this.addresses.set(node, addresses);
    void this.#address.put(node, { addresses });
    return true;
  }

  /** The node that says, and is believed, that it has this address. */
  holderOf(address: string): string | undefined {
    return this.#holders.get(address);
  }

  #mayHave(node: string, address: string): boolean {
    const holder = this.#holders.get(address);
    if (holder === undefined || holder === node || !this.boundaries.has(holder)) return true;
    if (!this.#doubted.has(`${node} ${address}`)) {
      if (this.#doubted.size >= limits.nodes_max) this.#doubted.clear();
      this.#doubted.add(`${node} ${address}`);
      this.#log.warn('address-of-another', { node, address, holder });
    }
    return false;
  }
}

async function into<T extends object>(records: Records<T>, map: Map<string, T>): Promise<Result<true>> {
  const all = await records.all();
  if (!all.ok) return all;
  for (const { name, value } of all.value) map.set(name, value);
  return ok(true);
}
