import { isIPv4 } from 'node:net';

/** IPv4 and hardware addresses as text, for people and JSON, and as numbers, to compute with. */
export function ipv4Number(address: string): number {
  if (!isIPv4(address)) throw new Error(`not an IPv4 address: ${address}`);
  return address.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

export function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

export function ipv4At(bytes: Uint8Array, offset: number): string {
  return bytes.subarray(offset, offset + 4).join('.');
}

export function ipv4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split('.').map(Number));
}

/** The length of a mask whose ones all stand before its zeros; undefined for any other. */
export function maskLength(mask: string): number | undefined {
  const bits = ipv4Number(mask).toString(2).padStart(32, '0');
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : undefined;
}

export function maskText(length: number): string {
  return ipv4Text(2 ** 32 - 2 ** (32 - length));
}

export function inPrefix(address: string, network: string, length: number): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(ipv4Number(address) / size) === Math.floor(ipv4Number(network) / size);
}

/** An address that one machine can have: not of this network, loopback, link-local, multicast, reserved or broadcast. */
export function isHostAddress(address: string): boolean {
  const number = ipv4Number(address);
  const first = Math.floor(number / 2 ** 24);
  return first > 0 && first !== 127 && first < 224 && !inPrefix(address, '169.254.0.0', 16);
}

/** A host's address within a network: neither the network's own nor its broadcast address. */
export function isHostWithin(address: string, length: number): boolean {
  if (!isHostAddress(address)) return false;
  if (length >= 31) return true;
  const size = 2 ** (32 - length);
  const rest = ipv4Number(address) % size;
  return rest !== 0 && rest !== size - 1;
}

export type Mac = string;

export function macAt(bytes: Uint8Array, offset: number): Mac {
  return [...bytes.subarray(offset, offset + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function macBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':').map((part) => Number.parseInt(part, 16)));
}

export const macBroadcast: Mac = 'ff:ff:ff:ff:ff:ff';

/** One machine's hardware address: not a group's, not zero. */
export function isMachineMac(mac: Mac): boolean {
  const bytes = macBytes(mac);
  return ((bytes[0] ?? 1) & 1) === 0 && bytes.some((byte) => byte !== 0);
}
