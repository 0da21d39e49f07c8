import { ok, refuse, type Result } from '../result.js';
import { ipv4At, ipv4Bytes, macAt, macBytes, type Mac } from './address.js';

/** The two kinds of frame that addresses are made of: ARP, and a UDP packet over IPv4. */
export type Frame = ArpFrame | UdpFrame;

export interface ArpFrame {
  readonly kind: 'arp';
  readonly from: Mac;
  readonly to: Mac;
  readonly operation: 'request' | 'reply';
  readonly senderMac: Mac;
  readonly senderIp: string;
  readonly targetMac: Mac;
  readonly targetIp: string;
}

export interface UdpFrame {
  readonly kind: 'udp';
  readonly from: Mac;
  readonly to: Mac;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

const etherType = { ipv4: 0x0800, arp: 0x0806 } as const;
const udpProtocol = 17;
const ethernetBytes = 14;
const arpBytes = 28;
const ipv4Bytes_min = 20;
const udpBytes = 8;

function bad(detail: string): Result<never> {
  return refuse('frame-malformed', detail);
}

export function parseFrame(bytes: Uint8Array): Result<Frame> {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (frame.length < ethernetBytes) return bad('shorter than an Ethernet header');
  const type = frame.readUInt16BE(12);
  if (type === etherType.arp) return parseArp(frame);
  return type === etherType.ipv4 ? parseIpv4(frame) : bad('neither ARP nor IPv4');
}

function parseArp(frame: Buffer): Result<ArpFrame> {
  if (frame.length < ethernetBytes + arpBytes) return bad('ARP cut short');
  // Ethernet, IPv4, and their sizes.
  if (frame.readUInt32BE(14) !== 0x00010800 || frame.readUInt16BE(18) !== 0x0604)
    return bad('ARP of other networks');
  const operation = frame.readUInt16BE(20);
  if (operation !== 1 && operation !== 2) return bad('ARP that neither asks nor answers');
  return ok({
    kind: 'arp',
    to: macAt(frame, 0),
    from: macAt(frame, 6),
    operation: operation === 1 ? 'request' : 'reply',
    senderMac: macAt(frame, 22),
    senderIp: ipv4At(frame, 28),
    targetMac: macAt(frame, 32),
    targetIp: ipv4At(frame, 38),
  });
}

function parseIpv4(frame: Buffer): Result<UdpFrame> {
  const packet = frame.subarray(ethernetBytes);
  if (packet.length < ipv4Bytes_min) return bad('IPv4 cut short');
  const first = packet.readUInt8(0);
  const headBytes = (first & 15) * 4;
  const bytes = packet.readUInt16BE(2);
  if (first >> 4 !== 4 || headBytes < ipv4Bytes_min) return bad('not an IPv4 header');
  if (bytes > packet.length || bytes < headBytes + udpBytes) return bad('IPv4 of a wrong length');
  if (sum(packet.subarray(0, headBytes)) !== 0xffff) return bad('IPv4 checksum is wrong');
  if ((packet.readUInt16BE(6) & 0x3fff) !== 0) return bad('a fragment');
  if (packet.readUInt8(9) !== udpProtocol) return bad('not UDP');
  const udp = packet.subarray(headBytes, bytes);
  const length = udp.readUInt16BE(4);
  if (length < udpBytes || length > udp.length) return bad('UDP of a wrong length');
  if (!checksumHolds(packet, udp.subarray(0, length))) return bad('UDP checksum is wrong');
  return ok({
    kind: 'udp',
    to: macAt(frame, 0),
    from: macAt(frame, 6),
    source: ipv4At(packet, 12),
    destination: ipv4At(packet, 16),
    sourcePort: udp.readUInt16BE(0),
    destinationPort: udp.readUInt16BE(2),
    payload: udp.subarray(udpBytes, length),
  });
}

/** The one's complement sum of 16-bit words, folded. */
function sum(...parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) {
    for (let index = 0; index < part.length; index += 2)
      total += (part[index] ?? 0) * 256 + (part[index + 1] ?? 0);
  }
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

function pseudoHeader(source: Uint8Array, destination: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from([...source, ...destination, 0, udpProtocol, length >> 8, length & 255]);
}

/**
 * Absent, right, or left to the hardware: between virtual interfaces of one machine the kernel never computes it, and the field
 * holds the sum of the pseudo-header alone.
 */
function checksumHolds(packet: Buffer, udp: Buffer): boolean {
  const said = udp.readUInt16BE(6);
  if (said === 0) return true;
  const pseudo = pseudoHeader(packet.subarray(12, 16), packet.subarray(16, 20), udp.length);
  return said === sum(pseudo) || sum(pseudo, udp) === 0xffff;
}

export function formatFrame(frame: Frame): Uint8Array {
  const head = Buffer.alloc(ethernetBytes);
  head.set(macBytes(frame.to), 0);
  head.set(macBytes(frame.from), 6);
  head.writeUInt16BE(frame.kind === 'arp' ? etherType.arp : etherType.ipv4, 12);
  return Buffer.concat([head, frame.kind === 'arp' ? formatArp(frame) : formatUdp(frame)]);
}

function formatArp(frame: ArpFrame): Buffer {
  const arp = Buffer.alloc(arpBytes);
  arp.writeUInt32BE(0x00010800, 0);
  arp.writeUInt16BE(0x0604, 4);
  arp.writeUInt16BE(frame.operation === 'request' ? 1 : 2, 6);
  arp.set(macBytes(frame.senderMac), 8);
  arp.set(ipv4Bytes(frame.senderIp), 14);
  arp.set(macBytes(frame.targetMac), 18);
  arp.set(ipv4Bytes(frame.targetIp), 24);
  return arp;
}

function formatUdp(frame: UdpFrame): Buffer {
  const source = ipv4Bytes(frame.source);
  const destination = ipv4Bytes(frame.destination);
  const udp = Buffer.alloc(udpBytes + frame.payload.length);
  udp.writeUInt16BE(frame.sourcePort, 0);
  udp.writeUInt16BE(frame.destinationPort, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(frame.payload, udpBytes);
  // A sum of zero is written as its other form, because zero says that there is none.
  udp.writeUInt16BE(0xffff - sum(pseudoHeader(source, destination, udp.length), udp) || 0xffff, 6);
  const ip = Buffer.alloc(ipv4Bytes_min);
  ip.writeUInt16BE(0x4500, 0);
  ip.writeUInt16BE(ip.length + udp.length, 2);
  ip.writeUInt16BE(0x4000, 6);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(udpProtocol, 9);
  ip.set(source, 12);
  ip.set(destination, 16);
  ip.writeUInt16BE(0xffff - sum(ip), 10);
  return Buffer.concat([ip, udp]);
}
