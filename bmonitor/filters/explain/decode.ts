import type { Family } from '../model.js';
import { hasPorts, icmp, icmpv6, tcp } from '../protocols.js';
import type { Frame, LinkType } from './capture.js';

/** From the bytes of a frame to what the filters look at. Nothing here trusts a length that a packet states. */
export interface Packet {
  readonly family: Family;
  readonly bytes: Buffer;
  /** Where the addresses stand in `bytes`; 4 or 16 bytes each. */
  readonly sourceAt: number;
  readonly destinationAt: number;
  readonly hopLimit: number;
  readonly protocol: number;
  /** Where the transport header begins. */
  readonly payloadAt: number;
  readonly fragment: Fragment | undefined;
}

export interface Fragment {
  readonly id: number;
  readonly offset: number;
  readonly length: number;
  readonly more: boolean;
}

/** `other`: not IP. `cut`: the capture holds too little of it. `broken`: not a packet that a kernel would take. */
export type Decoded = Packet | 'other' | 'cut' | 'broken';

const vlanTags: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const type4 = 0x0800;
const type6 = 0x86dd;

export function decodeFrame(frame: Frame, link: LinkType): Decoded {
  const { bytes } = frame;
  switch (link) {
    case 'ethernet':
      return decodeTyped(bytes, 12);
    case 'cooked':
      return decodeTyped(bytes, 14);
    case 'cooked2':
      return bytes.length < 20 ? 'cut' : decodeProtocol(bytes, bytes.readUInt16BE(0), 20);
    case 'ip':
      return decodeIp(bytes, 0);
  }
}

function decodeTyped(bytes: Buffer, typeAt: number): Decoded {
  if (bytes.length < typeAt + 2) return 'cut';
  return decodeProtocol(bytes, bytes.readUInt16BE(typeAt), typeAt + 2);
}

function decodeProtocol(bytes: Buffer, type: number, start: number): Decoded {
  let [etherType, at] = [type, start];
  while (vlanTags.has(etherType)) {
    if (bytes.length < at + 4) return 'cut';
    etherType = bytes.readUInt16BE(at + 2);
    at += 4;
  }
  if (etherType !== type4 && etherType !== type6) return 'other';
  const decoded = decodeIp(bytes, at);
  if (typeof decoded === 'string') return decoded;
  return decoded.family === (etherType === type4 ? 4 : 6) ? decoded : 'broken';
}

function decodeIp(bytes: Buffer, at: number): Decoded {
  const first = bytes[at];
  if (first === undefined) return 'cut';
  switch (first >> 4) {
    case 4:
      return decode4(bytes, at);
    case 6:
      return decode6(bytes, at);
    default:
      return 'broken';
  }
}

function decode4(bytes: Buffer, at: number): Decoded {
  if (bytes.length < at + 20) return 'cut';
  const headerLength = ((bytes[at] ?? 0) & 15) * 4;
  const totalLength = bytes.readUInt16BE(at + 2);
  if (headerLength < 20) return 'broken';
  // A total length of 0 is what segmentation offload leaves in captures on the sender.
  if (totalLength !== 0 && totalLength < headerLength) return 'broken';
  const field = bytes.readUInt16BE(at + 6);
  const offset = (field & 0x1fff) * 8;
  const more = (field & 0x2000) !== 0;
  return {
    family: 4,
    bytes,
    sourceAt: at + 12,
    destinationAt: at + 16,
    hopLimit: bytes[at + 8] ?? 0,
    protocol: bytes[at + 9] ?? 0,
    payloadAt: at + headerLength,
    fragment:
      offset === 0 && !more
        ? undefined
        : { id: bytes.readUInt16BE(at + 4), offset, more, length: totalLength - headerLength },
  };
}

/** The headers that stand before the transport: hop-by-hop, routing, fragment, authentication, destination options. */
const extensions: ReadonlySet<number> = new Set([0, 43, 44, 51, 60]);

function decode6(bytes: Buffer, at: number): Decoded {
  if (bytes.length < at + 40) return 'cut';
  const end = at + 40 + bytes.readUInt16BE(at + 4);
  let protocol = bytes[at + 6] ?? 0;
  let next = at + 40;
  let fragment: Fragment | undefined;
  while (extensions.has(protocol)) {
    if (fragment !== undefined && fragment.offset > 0) break;
    if (bytes.length < next + 8) return 'cut';
    const following = bytes[next] ?? 0;
    const length = bytes[next + 1] ?? 0;
    if (protocol === 44) {
      const field = bytes.readUInt16BE(next + 2);
      fragment = {
        id: bytes.readUInt32BE(next + 4),
        offset: field & 0xfff8,
        more: (field & 1) === 1,
        length: end - next - 8,
      };
      next += 8;
    } else next += protocol === 51 ? (length + 2) * 4 : (length + 1) * 8;
    protocol = following;
  }
  // A fragment header on a packet that is whole says nothing.
  const whole = fragment !== undefined && fragment.offset === 0 && !fragment.more;
  return {
    family: 6,
    bytes,
    sourceAt: at + 8,
    destinationAt: at + 24,
    hopLimit: bytes[at + 7] ?? 0,
    protocol,
    payloadAt: next,
    fragment: whole ? undefined : fragment,
  };
}

/** What tells connections of a protocol apart. */
export type Transport =
  | {
      readonly kind: 'ports';
      readonly source: number;
      readonly destination: number;
      /** Of TCP; else 0. */
      readonly flags: number;
      readonly acknowledges: number;
    }
  | { readonly kind: 'icmp'; readonly type: number; readonly code: number; readonly id: number }
  | { readonly kind: 'plain' };

const plain: Transport = { kind: 'plain' };

/** undefined: the capture cut it off, or the packet is too short to have it. */
export function transportOf(packet: Packet): Transport | undefined {
  const { bytes, payloadAt: at, protocol, family } = packet;
  if (hasPorts(protocol)) {
    if (bytes.length < at + (protocol === tcp ? 14 : 4)) return undefined;
    return {
      kind: 'ports',
      source: bytes.readUInt16BE(at),
      destination: bytes.readUInt16BE(at + 2),
      flags: protocol === tcp ? (bytes[at + 13] ?? 0) : 0,
      acknowledges: protocol === tcp ? bytes.readUInt32BE(at + 8) : 0,
    };
  }
  if (protocol === (family === 4 ? icmp : icmpv6)) {
    if (bytes.length < at + 8) return undefined;
    return { kind: 'icmp', type: bytes[at] ?? 0, code: bytes[at + 1] ?? 0, id: bytes.readUInt16BE(at + 4) };
  }
  return plain;
}

/** The packet that an ICMP error is about. */
export function quotedPacket(packet: Packet): Packet | undefined {
  const quoted = decodeIp(packet.bytes, packet.payloadAt + 8);
  return typeof quoted === 'string' || quoted.family !== packet.family ? undefined : quoted;
}

/** A short text that stands for an address: quick to make, and equal for equal addresses. */
export function addressKey(packet: Packet, at: number): string | number {
  return packet.family === 4 ? packet.bytes.readUInt32BE(at) : packet.bytes.toString('latin1', at, at + 16);
}

export function addressValue(packet: Packet, at: number): bigint {
  if (packet.family === 4) return BigInt(packet.bytes.readUInt32BE(at));
  return (packet.bytes.readBigUInt64BE(at) << 64n) | packet.bytes.readBigUInt64BE(at + 8);
}
