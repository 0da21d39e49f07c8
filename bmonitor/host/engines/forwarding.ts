import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const settings = '/proc/sys/net';

/**
 * A machine passes packets on when it has engines; what it passes, the filters say. It stays a host on its own interfaces: it goes on hearing the routers of its network, from whom it may have its
 * address and its way out, and does not say that it is one. The kernel forgets those routers when it begins to pass IPv6 on, unless an interface hears them nevertheless: so it does, for that moment.
 */
export function passPacketsOn(folder = settings): void {
  const four = join(folder, 'ipv4/ip_forward');
  if (valueOf(four) === '0') writeFileSync(four, '1');
  const six = join(folder, 'ipv6/conf');
  if (valueOf(join(six, 'all/forwarding')) !== '0') return;
  const hosts = readdirSync(six)
    .filter((name) => name !== 'all')
    .map((name) => join(six, name))
    .filter((at) => valueOf(join(at, 'forwarding')) === '0');
  const hearing = hosts.filter((at) => valueOf(join(at, 'accept_ra')) === '1');
  for (const at of hearing) put(join(at, 'accept_ra'), '2');
  put(join(six, 'all/forwarding'), '1');
  for (const at of hosts) put(join(at, 'forwarding'), '0');
  for (const at of hearing) put(join(at, 'accept_ra'), '1');
}

/** Undefined: this kernel does not have it, or the interface went. */
function valueOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** An interface may go at any moment. */
function put(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch {
    // It is gone, and with it what was to be kept of it.
  }
}
