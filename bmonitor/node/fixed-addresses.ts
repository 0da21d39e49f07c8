import { addressBits, formatAddress, parseAddress, type Address } from '../filters/address.js';
import type { FixedAddresses } from '../ports/address-link.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Config } from './config.js';

interface Own extends Address {
  readonly text: string;
  readonly length: number | undefined;
  readonly forEngines?: true;
}

/** All addresses of the configuration, with the length of their networks where it is said, and those for engines behind them. */
export function ownAddresses(config: Pick<Config, 'addresses' | 'engines'>): Result<readonly Own[]> {
  const own = machineAddresses(config);
  if (!own.ok) return own;
  const all = [...own.value];
  for (const [index, given] of (config.engines?.addresses ?? []).entries()) {
    const where = `engines.addresses[${index}]`;
    const address = parseAddress(given);
    if (address === undefined) return refuse('bad-input', 'not an address', { where });
    const text = formatAddress(address.family, address.value);
    if (all.some((one) => one.text === text))
      return refuse('bad-input', 'an address of the node already', { where });
    all.push({ ...address, text, length: addressBits[address.family], forEngines: true });
  }
  return ok(all);
}

/** Those that engines may have, as they are written everywhere. */
export function addressesForEngines(config: Pick<Config, 'addresses' | 'engines'>): ReadonlySet<string> {
  const own = ownAddresses(config);
  return new Set(own.ok ? own.value.filter(({ forEngines }) => forEngines).map(({ text }) => text) : []);
}

function machineAddresses(config: Pick<Config, 'addresses'>): Result<readonly Own[]> {
  const own: Own[] = [];
  for (const [index, given] of (config.addresses ?? []).entries()) {
    const where = `addresses[${index}]`;
    const [text = '', length, more] = given.split('/');
    const address = parseAddress(text);
    if (address === undefined || more !== undefined) return refuse('bad-input', 'not an address', { where });
    const bits = length === undefined ? undefined : lengthOf(length, addressBits[address.family]);
    if (length !== undefined && bits === undefined)
      return refuse('bad-input', 'the length of a network is from 1 to that of an address', { where });
    own.push({ ...address, text: formatAddress(address.family, address.value), length: bits });
  }
  return ok(own);
}

function lengthOf(text: string, most: number): number | undefined {
  const length = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : undefined;
  return length !== undefined && length <= most ? length : undefined;
}

/** What BMonitor puts on the interface by itself: addresses whose network is said, and routers that are reached through it. */
export function fixedAddresses(config: Config): Result<FixedAddresses> {
  const own = ownAddresses(config);
  if (!own.ok) return own;
  const addresses = own.value.flatMap(({ text, family, length, forEngines }) =>
    length === undefined ? [] : [{ address: text, family, length, ...(forEngines ? { forEngines } : {}) }],
  );
  const routers: { readonly address: string; readonly family: 4 | 6 }[] = [];
  for (const [index, text] of (config.routers ?? []).entries()) {
    const where = `routers[${index}]`;
    const router = parseAddress(text);
    if (router === undefined) return refuse('bad-input', 'not an address', { where });
    if (routers.some(({ family }) => family === router.family))
      return refuse('bad-input', 'one router for IPv4 and one for IPv6', { where });
    if (!own.value.some((it) => onLink(router, it)))
      return refuse('bad-input', 'no address with its network is on the same network as this router', {
        where,
      });
    routers.push({ address: formatAddress(router.family, router.value), family: router.family });
  }
  if (addresses.length > 0 && config.interface === undefined)
    return refuse('bad-input', 'an address with its network needs an interface', { where: 'interface' });
  return ok({ addresses, routers });
}

/** A router of IPv6 is usually known by its link-local address, which is on every link. */
function onLink(router: Address, own: Own): boolean {
  if (router.family !== own.family || own.length === undefined || router.value === own.value) return false;
  if (router.family === 6 && router.value >> 118n === 0xfe80n >> 6n) return true;
  const rest = BigInt(addressBits[own.family] - own.length);
  return router.value >> rest === own.value >> rest;
}
