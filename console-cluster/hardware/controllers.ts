import type { Vault } from '../../console/daemon/vault.js';
import type { KeyStore } from '../../console/store/port.js';
import { Records } from '../../console/store/records.js';
import type { Secret } from '../../crypto/secret.js';
import { object, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { outOfBand, type OutOfBandAct } from './ipmi.js';
import { wake } from './wake.js';

const address = text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' });
const record = object({
  controller: optional(
    object({
      host: address,
      port: whole({ min: 1, max: 65_535 }),
      user: text({ max: 16 }),
      cipherSuite: optional(whole({ min: 0, max: 255 })),
      sealed: text({ max: 400 }),
    }),
  ),
  wake: optional(
    object({
      mac: text({ max: 17, pattern: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, form: 'a hardware address' }),
      broadcast: address,
    }),
  ),
});
export type OutOfBand = Parsed<typeof record>;

export interface Wanted {
  readonly controller?: Omit<NonNullable<OutOfBand['controller']>, 'sealed'> & { readonly password: Secret };
  readonly wake?: OutOfBand['wake'];
}

/** How each machine is reached when its own system is not: its management controller, and the address that wakes it. Passwords rest in the vault. */
export class Controllers {
  readonly #records: Records<OutOfBand>;
  readonly #vault: Vault;

  constructor(store: KeyStore, vault: Vault) {
    this.#records = new Records(store, 'out-of-band/', record);
    this.#vault = vault;
  }

  async get(node: string): Promise<Result<OutOfBand>> {
    const found = await this.#records.get(node);
    return found.ok ? ok(found.value.value) : found;
  }

  /** What is not named stays as it was. */
  async set(node: string, wanted: Wanted): Promise<Result<OutOfBand>> {
    const found = await this.#records.get(node);
    if (!found.ok && found.refusal.code !== 'not-found') return found;
    const before = found.ok ? found.value.value : {};
    const controller = wanted.controller && this.#sealed(node, wanted.controller);
    const next: OutOfBand = {
      ...before,
      ...(controller ? { controller } : {}),
      ...(wanted.wake ? { wake: wanted.wake } : {}),
    };
    const written = await this.#records.put(node, next, found.ok ? found.value.revision : 0);
    return written.ok ? ok(next) : written;
  }

  #sealed(
    node: string,
    { password, ...reached }: NonNullable<Wanted['controller']>,
  ): OutOfBand['controller'] {
    return { ...reached, sealed: this.#vault.seal(contextOf(node), password) };
  }

  async remove(node: string): Promise<Result<void>> {
    const found = await this.#records.get(node);
    if (!found.ok) return found;
    const removed = await this.#records.remove(node, found.value.revision);
    return removed.ok ? ok(undefined) : removed;
  }

  async act(node: string, act: OutOfBandAct): Promise<Result<string>> {
    const found = await this.#records.get(node);
    const controller = found.ok ? found.value.value.controller : undefined;
    if (!controller) return refuse('no-controller', node);
    const password = this.#vault.open(contextOf(node), controller.sealed);
    if (!password) return refuse('store-unreadable', 'the password of the controller was sealed elsewhere');
    const done = await outOfBand(controller, password, act);
    password.wipe();
    return done;
  }

  async wake(node: string): Promise<Result<void>> {
    const found = await this.#records.get(node);
    const way = found.ok ? found.value.value.wake : undefined;
    return way
      ? wake(way.mac, way.broadcast)
      : refuse('no-controller', `${node} has no address that wakes it`);
  }
}

function contextOf(node: string): string {
  return `controller ${node}`;
}
