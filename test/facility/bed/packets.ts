/** Builds frames as they go over the cable, right or wrong, for what no socket would send. */
export interface Ethernet {
  readonly to: string;
  readonly from: string;
  readonly type: number;
}

export interface Ip {
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  /** IPv4 only: the fragment's offset in bytes, and whether more follow. */
  readonly fragment?: { readonly id: number; readonly offset: number; readonly more: boolean };
  readonly hops?: number;
}

export const etherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;
export const broadcastMac = 'ff:ff:ff:ff:ff:ff';

export function ethernet(header: Ethernet, payload: Uint8Array): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(header.type);
  return Buffer.concat([macBytes(header.to), macBytes(header.from), type, payload]);
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function ipBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const left = groups(head);
  const right = groups(tail);
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  const bytes = Buffer.alloc(16);
  [...left, ...middle, ...right].forEach((group, index) =>
    bytes.writeUInt16BE(parseInt(group, 16), index * 2),
  );
  return bytes;
}

export function checksum(...parts: readonly Uint8Array[]): number {
  const data = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) {
    sum += ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

export function ipv4(header: Ip, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(20);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(20 + payload.length, 2);
  const { fragment } = header;
  if (fragment !== undefined) {
    bytes.writeUInt16BE(fragment.id, 4);
    bytes.writeUInt16BE((fragment.more ? 0x2000 : 0) | (fragment.offset >> 3), 6);
  }
  bytes[8] = header.hops ?? 64;
  bytes[9] = header.protocol;
  ipBytes(header.from).copy(bytes, 12);
  ipBytes(header.to).copy(bytes, 16);
  bytes.writeUInt16BE(checksum(bytes), 10);
  return Buffer.concat([bytes, payload]);
}

export function ipv6(header: Ip, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(40);
  bytes[0] = 0x60;
  bytes.writeUInt16BE(payload.length, 4);
  bytes[6] = header.protocol;
  bytes[7] = header.hops ?? 64;
  ipBytes(header.from).copy(bytes, 8);
  ipBytes(header.to).copy(bytes, 24);
  return Buffer.concat([bytes, payload]);
}

/** The part of the IP header that transport checksums cover. */
export function pseudoHeader(header: Ip, length: number): Buffer {
  const tail = header.from.includes(':') ? Buffer.alloc(8) : Buffer.alloc(4);
  if (tail.length === 8) tail.writeUInt32BE(length);
  else tail.writeUInt16BE(length, 2);
  tail[tail.length === 8 ? 7 : 1] = header.protocol;
  return Buffer.concat([ipBytes(header.from), ipBytes(header.to), tail]);
}

export function udp(header: Ip, ports: { from: number; to: number }, data: string | Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(data)]);
  bytes.writeUInt16BE(ports.from, 0);
  bytes.writeUInt16BE(ports.to, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.writeUInt16BE(checksum(pseudoHeader(header, bytes.length), bytes) || 0xffff, 6);
  return bytes;
}

export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export function tcp(
  header: Ip,
  segment: { from: number; to: number; flags: number; sequence?: number; acknowledge?: number },
  data: string | Uint8Array = '',
): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(20), Buffer.from(data)]);
  bytes.writeUInt16BE(segment.from, 0);
  bytes.writeUInt16BE(segment.to, 2);
  bytes.writeUInt32BE(segment.sequence ?? 1, 4);
  bytes.writeUInt32BE(segment.acknowledge ?? 0, 8);
  bytes[12] = 5 << 4;
  bytes[13] = segment.flags;
  bytes.writeUInt16BE(65_535, 14);
  bytes.writeUInt16BE(checksum(pseudoHeader(header, bytes.length), bytes), 16);
  return bytes;
}
