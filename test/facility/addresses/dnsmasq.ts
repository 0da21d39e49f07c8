import { join } from 'node:path';
import type { BedProcess, Place } from '../bed/index.js';

export interface DnsmasqOptions {
  readonly first: string;
  readonly last: string;
  readonly folder: string;
  readonly more?: readonly string[];
}

/** Debian's dnsmasq as the DHCP server of a place. */
export async function startDnsmasq(place: Place, options: DnsmasqOptions): Promise<BedProcess> {
  const server = place.spawn([
    'dnsmasq',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    '--no-ping',
    '--dhcp-authoritative',
    `--interface=${place.nic}`,
    '--bind-interfaces',
    `--dhcp-range=${options.first},${options.last},120`,
    `--dhcp-leasefile=${join(options.folder, 'dnsmasq.leases')}`,
    '--log-dhcp',
    '--log-facility=-',
    '--pid-file=',
    '--user=root',
    ...(options.more ?? []),
  ]);
  await server.says(/DHCP, IP range/);
  return server;
}
