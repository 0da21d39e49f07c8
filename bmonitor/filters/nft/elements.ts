import { addressBits, formatAddress } from '../address.js';
import type { Box } from '../boxes.js';
import type { Family, PeerRange, ServiceRange } from '../model.js';
import { isGroup } from '../normalise.js';
import { hasPorts, protocol_max, serviceBlocks, type ServiceBlock } from '../protocols.js';
import { anyPrefixes_max, noPrefixes, prefixKeys, type PrefixChoice, type PrefixKind } from './prefixes.js';

/**
 * Boxes as keys of the kernel's maps. A level has, for each direction and family, these maps:
 *
 * - `exact`: one peer, one protocol, one port; a hash, whose cost does not grow.
 * - `p24_16` and the like: prefixes of peers and ports that many boxes share; hashes too. See prefixes.ts.
 * - `ranges`: everything else about protocols with ports.
 * - `whole`: protocols without ports, by number only, because a packet of theirs may be too short to hold a port.
 *
 * and one map for each family, `groups`, for what comes in to multicast and broadcast addresses.
 */
export type MapKind = 'exact' | PrefixKind | 'ranges' | 'whole' | 'groups';

export interface BoxKey {
  readonly kind: MapKind;
  readonly key: string;
}

/** nft writes an IPv6 address whose first 96 bits are zero with dots at its end. */
function oneAddress(family: Family, value: bigint): string {
  if (family === 4 || value <= 0xffffn) return formatAddress(family, value);
  const tail = formatAddress(4, value & 0xffff_ffffn);
  if (value >> 32n === 0n) return `::${tail}`;
  if (value >> 32n === 0xffffn) return `::ffff:${tail}`;
  return formatAddress(family, value);
}

/** As nft lists it, so that what is read back is found by its text: an address, a prefix, or a range. */
export function addressText({ family, lo, hi }: PeerRange): string {
  const first = oneAddress(family, lo);
  if (lo === hi) return first;
  const size = hi - lo + 1n;
  if ((size & (size - 1n)) === 0n && lo % size === 0n)
    return `${first}/${addressBits[family] - (size.toString(2).length - 1)}`;
  return `${first}-${oneAddress(family, hi)}`;
}

function numbers({ lo, hi }: { readonly lo: number; readonly hi: number }): string {
  return lo === hi ? String(lo) : `${lo}-${hi}`;
}

const portsOrNot = {
  some: (block: ServiceBlock) => from(block).some(hasPorts),
  none: (block: ServiceBlock) => from(block).some((protocol) => !hasPorts(protocol)),
};

function from({ protocols }: ServiceBlock): readonly number[] {
  return Array.from({ length: protocols.hi - protocols.lo + 1 }, (_, index) => protocols.lo + index);
}

function isAll({ protocols }: ServiceBlock): boolean {
  return protocols.lo === 0 && protocols.hi === protocol_max;
}

/** Keys `peer . protocol . port`, for a set of ranges that is small. */
export function serviceKeys(peer: PeerRange, services: ServiceRange): readonly string[] {
  return serviceBlocks(services).map(
    ({ protocols, ports }) => `${addressText(peer)} . ${numbers(protocols)} . ${numbers(ports)}`,
  );
}

const groupRanges = {
  4: [
    { family: 4, lo: 0xe000_0000n, hi: 0xefff_ffffn },
    { family: 4, lo: 0xffff_ffffn, hi: 0xffff_ffffn },
  ],
  6: [{ family: 6, lo: 0xffn << 120n, hi: (1n << 128n) - 1n }],
} as const satisfies Record<Family, readonly PeerRange[]>;

function groupParts(box: Box): readonly PeerRange[] {
  return groupRanges[box.family]
    .map(({ family, lo, hi }) => ({
      family,
      lo: box.lo > lo ? box.lo : lo,
      hi: box.hi < hi ? box.hi : hi,
    }))
    .filter(({ lo, hi }) => lo <= hi);
}

/** `choice`: the hashes that the level has for the box's direction and family. */
export function keysOf(box: Box, choice: PrefixChoice = noPrefixes): readonly BoxKey[] {
  const text = addressText({ family: box.family, lo: box.lo, hi: box.hi });
  const keys: BoxKey[] = [];
  for (const block of serviceBlocks(box.services)) {
    const { protocols, ports } = block;
    const exact =
      box.lo === box.hi && protocols.lo === protocols.hi && ports.lo === ports.hi && hasPorts(protocols.lo);
    const key = `${text} . ${numbers(protocols)} . ${numbers(ports)}`;
    const prefixes = exact || choice.kinds.length === 0 ? undefined : chosenKeys(box, block, choice);
    if (prefixes !== undefined) keys.push(...prefixes);
    else keys.push(...(exact ? [{ kind: 'exact' as const, key }] : rangeKeys(block, text, key)));
  }
  if (box.direction === 'in' && (isGroup(box.family, box.hi) || isGroup(box.family, box.lo) || wide(box)))
    for (const part of groupParts(box))
      for (const key of serviceKeys(part, box.services)) keys.push({ kind: 'groups', key });
  return keys;
}

function rangeKeys(block: ServiceBlock, peer: string, key: string): readonly BoxKey[] {
  const keys: BoxKey[] = [];
  if (isAll(block) || portsOrNot.some(block)) keys.push({ kind: 'ranges', key });
  if (isAll(block) || portsOrNot.none(block))
    keys.push({ kind: 'whole', key: `${peer} . ${numbers(block.protocols)}` });
  return keys;
}

/** All keys of a block are in hashes, or none is. */
function chosenKeys(
  box: Box,
  block: ServiceBlock,
  { kinds, keys_max }: PrefixChoice,
): readonly BoxKey[] | undefined {
  const keys = prefixKeys(box, block, keys_max);
  if (keys?.every(({ kind }) => kinds.includes(kind)) !== true) return undefined;
  return keys.map(({ kind, address, service }) => ({
    kind,
    key: `${oneAddress(box.family, address)}${service}`,
  }));
}

/** Every key that any choice of hashes would give the box: no other box has any of them. */
export function possibleKeys(box: Box): readonly BoxKey[] {
  return [
    ...keysOf(box),
    ...serviceBlocks(box.services).flatMap((block) =>
      (prefixKeys(box, block, anyPrefixes_max) ?? []).map(({ kind, address, service }) => ({
        kind,
        key: `${oneAddress(box.family, address)}${service}`,
      })),
    ),
  ];
}

/** A range can hold groups without either end being one. */
function wide(box: Box): boolean {
  return groupParts(box).length > 0;
}
