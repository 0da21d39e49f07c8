import type { KeyStore } from '../../console/store/port.js';
import type { Parse } from '../../protocol/parse.js';
import { parseJson } from '../../protocol/json.js';
import { ok, type Result } from '../../protocol/result.js';
import { LeaseBook, type Naming } from './book.js';
import { parseHeld, parseMachine, parsePool } from './model.js';

/** Where the console's store keeps it. */
export const keys = {
  pool: (name: string) => `dhcp/pool/${name}`,
  machine: (mac: string) => `dhcp/machine/${mac}`,
  held: (address: string) => `dhcp/held/${address}`,
} as const;

export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export async function loadBook(store: KeyStore, naming?: Naming): Promise<Result<LeaseBook>> {
  const book = new LeaseBook(naming);
  const pools = await load(store, keys.pool(''), parsePool);
  if (!pools.ok) return pools;
  for (const pool of pools.value) book.pools.set(pool.name, pool);
  const machines = await load(store, keys.machine(''), parseMachine);
  if (!machines.ok) return machines;
  for (const machine of machines.value) book.setMachine(machine);
  const held = await load(store, keys.held(''), parseHeld);
  if (!held.ok) return held;
  // In the order of time, so that each machine's latest address is the one that it gets again.
  for (const one of held.value.toSorted((a, b) => a.until_ms - b.until_ms)) book.hold(one);
  return ok(book);
}

async function load<T>(store: KeyStore, prefix: string, parse: Parse<T>): Promise<Result<readonly T[]>> {
  const found: T[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.range({ prefix, ...(after === undefined ? {} : { after }) });
    for (const { key, value } of page.entries) {
      const json = parseJson(Buffer.from(value).toString());
      const parsed = json.ok ? parse(json.value, key) : json;
      if (!parsed.ok) return parsed;
      found.push(parsed.value);
      after = key;
    }
    if (!page.more) return ok(found);
  }
}
