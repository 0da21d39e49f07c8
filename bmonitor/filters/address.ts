import type { Family, PeerRange } from './model.js';

/** Addresses as text and as numbers. Strict: what two programs could read differently is not read at all. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export const addressBits = { 4: 32, 6: 128 } as const satisfies Record<Family, number>;
export const addressMax = {
  4: (1n << 32n) - 1n,
  6: (1n << 128n) - 1n,
} as const satisfies Record<Family, bigint>;

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = new RegExp(`^${octet}\\.${octet}\\.${octet}\\.${octet}$`, 'u');

/** No leading zeros: some programs would read them as octal. */
function parse4(text: string): number | undefined {
  const found = ipv4.exec(text);
  if (found === null) return undefined;
  return found.slice(1).reduce((value, part) => value * 256 + Number(part), 0);
}

function groups(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const list: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/iu.test(part)) {
      list.push(Number.parseInt(part, 16));
      continue;
    }
    const tail = index === parts.length - 1 ? parse4(part) : undefined;
    if (tail === undefined) return undefined;
    list.push(tail >>> 16, tail & 0xffff);
  }
  return list;
}

function parse6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [before = '', after] = halves;
  // A dotted tail may only end the whole address.
  if (after !== undefined && before.includes('.')) return undefined;
  const head = groups(before);
  const tail = after === undefined ? [] : groups(after);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (after === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return BigInt(`0x${all.map((group) => group.toString(16).padStart(4, '0')).join('')}`);
}

/** No zone ids, and no IPv4 in IPv6's clothes: on the wire it would be IPv4, and the filter would never match. */
export function parseAddress(text: string): Address | undefined {
  if (text.includes(':')) {
    const value = parse6(text);
    if (value === undefined || isMapped(value)) return undefined;
    return { family: 6, value };
  }
  const value = parse4(text);
  return value === undefined ? undefined : { family: 4, value: BigInt(value) };
}

function isMapped(value: bigint): boolean {
  return value >> 32n === 0xffffn;
}

export function formatAddress(family: Family, value: bigint): string {
  if (family === 4) {
    const number = Number(value);
    return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
  }
  return format6(value);
}

/** RFC 5952: lower case, the longest run of two or more zero groups shortened, the first of equal ones. */
function format6(value: bigint): string {
  const hex = value.toString(16).padStart(32, '0');
  const list = Array.from({ length: 8 }, (_, index) =>
    Number.parseInt(hex.slice(index * 4, index * 4 + 4), 16),
  );
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (list[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.length < 2) return text(list);
  return `${text(list.slice(0, best.start))}::${text(list.slice(best.start + best.length))}`;
}

export type RangeReading =
  | { readonly kind: 'range'; readonly range: PeerRange }
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'not-an-address' };

const bad = (why: string): RangeReading => ({ kind: 'bad', why });

/** Reads an address, a prefix or a range. `not-an-address` may still be a name. */
export function readRange(text: string): RangeReading {
  const single = parseAddress(text);
  if (single !== undefined)
    return { kind: 'range', range: { family: single.family, lo: single.value, hi: single.value } };
  if (text.includes('/')) return readPrefix(text);
  const dash = text.indexOf('-');
  if (dash > 0) {
    const from = parseAddress(text.slice(0, dash));
    const to = parseAddress(text.slice(dash + 1));
    if (from !== undefined && to !== undefined) return fromTo(from, to);
  }
  if (/^\d|::|%|:.*:/u.test(text)) return bad('this is not an address, a prefix or a range');
  return { kind: 'not-an-address' };
}

function fromTo(from: Address, to: Address): RangeReading {
  if (from.family !== to.family) return bad('both ends of a range must be of one family');
  if (from.value > to.value) return bad('the range ends before it begins');
  return { kind: 'range', range: { family: from.family, lo: from.value, hi: to.value } };
}

function readPrefix(text: string): RangeReading {
  const slash = text.indexOf('/');
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/u.test(digits)) return bad('this is not a prefix');
  const bits = addressBits[address.family];
  const length = Number(digits);
  if (length > bits) return bad(`a prefix of this family has at most ${bits} bits`);
  const mask = (1n << BigInt(bits - length)) - 1n;
  const lo = address.value & ~mask;
  if (lo !== address.value)
    return bad(
      `there are bits set behind the prefix; did you mean ${formatAddress(address.family, lo)}/${length}?`,
    );
  return { kind: 'range', range: { family: address.family, lo, hi: lo | mask } };
}

/** The shortest way to write a range: an address, a prefix, or two addresses. */
export function formatRange(range: PeerRange): string {
  const { family, lo, hi } = range;
  if (lo === hi) return formatAddress(family, lo);
  const size = hi - lo + 1n;
  if ((size & (size - 1n)) === 0n && lo % size === 0n)
    return `${formatAddress(family, lo)}/${addressBits[family] - (size.toString(2).length - 1)}`;
  return `${formatAddress(family, lo)}-${formatAddress(family, hi)}`;
}
