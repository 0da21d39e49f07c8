import { ok, type Result } from '../../../protocol/result.js';
import type { AddressMemory, Assignment } from '../../ports/address-link.js';
import { ip, ipBatch } from './tool.js';

/** Puts an address and its routes on an interface. The resolver is left alone: what the tenant's software asks is not ours. */
export async function applyAssignment(name: string, assignment: Assignment): Promise<Result<void>> {
  const { address, length, routes, holds_s } = assignment;
  const stale = holds_s === undefined ? [] : await leasedAddresses(name);
  const life = holds_s === undefined ? 'forever' : String(holds_s);
  const own = `${address}/${length}`;
  return ipBatch([
    ...stale.filter((it) => it !== own).map((it) => `address del ${it} dev ${name}`),
    `address replace ${own} broadcast + dev ${name} valid_lft ${life} preferred_lft ${life}`,
    ...routes.map(({ network, length: prefix, router, onLink }) => {
      const near = router === '0.0.0.0' ? ' scope link' : onLink ? ' onlink' : '';
      const via = router === '0.0.0.0' ? '' : `via ${router} `;
      return `route replace ${network}/${prefix} ${via}dev ${name}${near} proto dhcp src ${address}`;
    }),
  ]);
}

export async function removeAddress(name: string, address: string, length: number): Promise<Result<void>> {
  const there = await addressesOn(name);
  if (!there.some((it) => it.own === `${address}/${length}`)) return ok(undefined);
  // Its routes go with it, because they have it as their source.
  return ipBatch([`address del ${address}/${length} dev ${name}`]);
}

/** The address of the life before, if it is on the interface still: until a server says otherwise it is the node's. */
export async function heldAddress(name: string, memory: AddressMemory): Promise<string | undefined> {
  const before = await memory.read();
  if (before === undefined) return undefined;
  const there = await addressesOn(name);
  return there.some(({ own }) => own.startsWith(`${before}/`)) ? before : undefined;
}

interface OnInterface {
  readonly own: string;
  readonly leased: boolean;
}

async function addressesOn(name: string): Promise<readonly OnInterface[]> {
  const listed = await ip(['-json', '-4', 'address', 'show', 'dev', name]);
  if (!listed.ok) return [];
  const links = JSON.parse(listed.value || '[]') as readonly {
    readonly addr_info?: readonly {
      readonly local?: string;
      readonly prefixlen?: number;
      readonly dynamic?: boolean;
    }[];
  }[];
  return links
    .flatMap(({ addr_info = [] }) => addr_info)
    .map(({ local, prefixlen, dynamic }) => ({ own: `${local}/${prefixlen}`, leased: dynamic === true }));
}

/** What an earlier life left: addresses with an end. Those without one were put there by a person. */
async function leasedAddresses(name: string): Promise<readonly string[]> {
  return (await addressesOn(name)).filter(({ leased }) => leased).map(({ own }) => own);
}
