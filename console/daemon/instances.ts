import { hostname } from 'node:os';
import { nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { wayForm, type Way } from '../../protocol/node-card.js';
import { object, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import type { Result } from '../../protocol/result.js';
import type { KeyStore } from '../store/port.js';
import { Records, type Stored } from '../store/records.js';

const form = object({
  /** Where its API is. */
  api: text({ max: 300 }),
  gateway: optional(wayForm),
  /** By its own clock, in milliseconds since 1970. */
  seen: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});
export type Instance = Parsed<typeof form>;

/** The consoles that share one store, each by what it last said of itself. */
export class Instances {
  readonly #records: Records<Instance>;

  constructor(store: KeyStore) {
    this.#records = new Records(store, 'instance/', form);
  }

  async say(name: string, instance: Instance): Promise<void> {
    await this.#records.put(name, instance);
  }

  all(): Promise<Result<readonly Stored<Instance>[]>> {
    return this.#records.all();
  }

  /** All ways by which nodes and remote consoles reach whoever works: the own ones first. */
  async gateways(own: readonly Way[]): Promise<readonly Way[]> {
    const all = await this.all();
    const theirs = all.ok ? all.value.flatMap(({ value }) => value.gateway ?? []) : [];
    const others = theirs.filter(({ url }) => !own.some((one) => one.url === url));
    return [...own, ...others].slice(0, limits.console_instances_max);
  }
}

/** The name of this machine, in the form that names have here. */
export function defaultInstance(): string {
  const plain = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-');
  return nameText(plain, '').ok ? plain : 'console';
}
