import type { LeaseView } from '../granting/routes.js';
import { table } from './output.js';

function listing(leases: readonly LeaseView[]): string {
  if (leases.length === 0) return 'no leases';
  return table(
    ['NODE', 'CUSTOMER', 'STATE', 'UNTIL', 'LEASE', 'TROUBLE'],
    leases.map((lease) => [
      lease.node,
      lease.customer,
      lease.state,
      new Date(lease.until * 1000).toISOString().slice(0, 16).replace('T', ' '),
      lease.lease ?? '-',
      lease.trouble ?? '',
    ]),
  );
}

export function printLeases(answer: Record<string, unknown>, json = false): void {
  console.log(json ? JSON.stringify(answer) : listing(answer['leases'] as readonly LeaseView[]));
}
