import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Log } from '../protocol/log.js';
import { ok, type Result } from '../protocol/result.js';
import { AddressKeeper, type AddressChange } from './addresses/keeper.js';
import { hostClock } from './host/clock.js';
import { FixedKeeper } from './host/addresses/fixed.js';
import { openAddressLink } from './host/addresses/link.js';
import { addressMemory } from './filtering-here.js';
import type { Config } from './node/config.js';
import { fixedAddresses } from './node/fixed-addresses.js';

/** Undefined when the configuration does not ask for DHCP. */
export function addressKeeper(
  folder: string,
  { name, interface: link, dhcp }: Config,
  log: Log,
  changed: (change: AddressChange) => Promise<void>,
): AddressKeeper | undefined {
  if (dhcp !== true || link === undefined) return undefined;
  return new AddressKeeper({
    open: (events) => openAddressLink(link, events),
    clock: hostClock,
    random: () => randomInt(2 ** 47) / 2 ** 47,
    hostname: name,
    memory: addressMemory(folder),
    changed,
    log,
  });
}

/** Undefined when the configuration names no interface. */
export function fixedKeeper(folder: string, config: Config, log: Log): Result<FixedKeeper | undefined> {
  const wanted = fixedAddresses(config);
  if (!wanted.ok) return wanted;
  if (config.interface === undefined) return ok(undefined);
  const memory = join(folder, 'fixed-addresses');
  return ok(new FixedKeeper({ interface: config.interface, wanted: wanted.value, memory, log }));
}
