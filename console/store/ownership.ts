import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Condition, KeyStore, Revision } from './port.js';

/**
 * Who of several consoles does a piece of work.
 *
 * INVARIANTS:
 * - The fencing token is the revision at which the owner was written. It grows with every change of owner.
 * - A write that carries `condition` is refused once another has taken over, whatever the clocks say: time decides only
 *   when somebody may take over, never whether a write of the former owner still counts.
 */
export interface Ownership {
  readonly name: string;
  readonly token: Revision;
  readonly condition: Condition;
  renew(now: number): Promise<Result<true>>;
  release(): Promise<Result<true>>;
}

interface Term {
  readonly holder: string;
  readonly until: number;
}

const ownerKey = (name: string): string => `own/${name}/owner`;
const untilKey = (name: string): string => `own/${name}/until`;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = (value: Uint8Array): string => new TextDecoder().decode(value);

export interface Owner {
  readonly holder: string;
  /** By the clock of the holder. */
  readonly until: number;
  /** Moves with every sign of life. */
  readonly mark: Revision;
}

/** Who holds the named work, as far as the store knows. */
export async function ownerOf(store: KeyStore, name: string): Promise<Owner | undefined> {
  const [owner, until] = [await store.get(ownerKey(name)), await store.get(untilKey(name))];
  if (owner === undefined || until === undefined) return undefined;
  return { holder: read(owner.value), until: Number(read(until.value)), mark: until.revision };
}

/** Takes the named work over, if nobody holds it or its holder's time has passed. */
export async function takeOwnership(
  store: KeyStore,
  name: string,
  term: Term,
  now: number,
): Promise<Result<Ownership>> {
  const owner = await store.get(ownerKey(name));
  const until = await store.get(untilKey(name));
  const held = owner !== undefined && until !== undefined && Number(read(until.value)) > now;
  if (held && read(owner.value) !== term.holder)
    return refuse('owned-by-another', `${name} is held by ${read(owner.value)}`);
  const written = await store.write(
    [
      { type: 'put', key: ownerKey(name), value: text(term.holder) },
      { type: 'put', key: untilKey(name), value: text(String(term.until)) },
    ],
    [
      { key: ownerKey(name), revision: owner?.revision ?? 0 },
      { key: untilKey(name), revision: until?.revision ?? 0 },
    ],
  );
  if (written.ok) return ok(owned(store, name, term.until - now, written.value));
  if (written.refusal.code === 'store-conflict') return refuse('owned-by-another', `${name} was just taken`);
  return written;
}

function owned(store: KeyStore, name: string, length_ms: number, token: Revision): Ownership {
  const condition: Condition = { key: ownerKey(name), revision: token };
  const lost = (): Result<true> => refuse('owned-by-another', `${name} was taken over`);
  return {
    name,
    token,
    condition,
    async renew(now) {
      const value = text(String(now + length_ms));
      const written = await store.write([{ type: 'put', key: untilKey(name), value }], [condition]);
      if (written.ok) return ok(true);
      return written.refusal.code === 'store-conflict' ? lost() : written;
    },
    async release() {
      const written = await store.write(
        [
          { type: 'delete', key: ownerKey(name) },
          { type: 'delete', key: untilKey(name) },
        ],
        [condition],
      );
      if (written.ok) return ok(true);
      return written.refusal.code === 'store-conflict' ? lost() : written;
    },
  };
}
