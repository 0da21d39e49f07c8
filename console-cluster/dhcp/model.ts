import { isIPv4 } from 'node:net';
import {
  inPrefix,
  ipv4Number,
  isHostWithin,
  isMachineMac,
  type Mac,
} from '../../protocol/ethernet/address.js';
import { nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, optional, text, whole, type Parse, type Parsed } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

const ipv4: Parse<string> = (value, where) =>
  typeof value === 'string' && isIPv4(value)
    ? ok(value)
    : refuse('bad-input', 'must be an IPv4 address', { where });

const macText: Parse<Mac> = (value, where) =>
  typeof value === 'string' && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(value) && isMachineMac(value)
    ? ok(value)
    : refuse('bad-input', 'must be a hardware address, as 02:00:5e:00:00:01', { where });

/** Addresses for the nodes of a cluster, and what they are told with them. */
const poolForm = object({
  name: nameText,
  network: ipv4,
  length: whole({ min: 8, max: 30 }),
  first: ipv4,
  last: ipv4,
  routers: optional(list(ipv4, { max: 4 })),
  dns: optional(list(ipv4, { max: 4 })),
  domain: optional(text({ max: 253, pattern: /^[a-z0-9.-]+$/, form: 'a domain name' })),
  /** Where nodes find the console's gateway: HOST:PORT#PIN. */
  gateway: optional(text({ max: 255, pattern: /^[!-~]+$/, form: 'HOST:PORT#PIN' })),
  lease_s: whole({ min: 60, max: 31 * 86_400 }),
});
export type Pool = Parsed<typeof poolForm>;

/** A node that may have an address: known by its hardware address, with its pool, and perhaps an address of its own. */
const machineForm = object({ mac: macText, node: nameText, pool: nameText, fixed: optional(ipv4) });
export type Machine = Parsed<typeof machineForm>;

const leaseForm = object({
  address: ipv4,
  /** Absent for an address that was found to be in use by a stranger. */
  mac: optional(macText),
  until_ms: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});
/** Held until then (wall clock): by a node, or, without one, set aside because somebody else uses it. */
export type HeldAddress = Parsed<typeof leaseForm>;

export const parseMachine = machineForm;
export const parseHeld = leaseForm;

export const parsePool: Parse<Pool> = (value, where) => {
  const parsed = poolForm(value, where);
  if (!parsed.ok) return parsed;
  const pool = parsed.value;
  const wrong = (name: string, detail: string): Result<never> =>
    refuse('bad-input', detail, { where: where === '' ? name : `${where}.${name}` });
  for (const name of ['first', 'last'] as const) {
    const inside = inPrefix(pool[name], pool.network, pool.length) && isHostWithin(pool[name], pool.length);
    if (!inside) return wrong(name, 'must be a machine’s address in the network');
  }
  const size = ipv4Number(pool.last) - ipv4Number(pool.first) + 1;
  if (size < 1) return wrong('last', 'must not be before the first');
  if (size > limits.dhcp_pool_addresses_max) return wrong('last', 'makes the pool too large');
  return parsed;
};

/** A machine that asked and that nobody has adopted. */
export interface Waiting {
  readonly mac: Mac;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly asked: number;
  readonly hostname?: string;
  readonly vendorClass?: string;
}
