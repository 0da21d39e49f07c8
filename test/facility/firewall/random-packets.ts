import { checksum, ipv4, ipv6, pseudoHeader, tcp, tcpFlag, udp, type Place } from '../bed/index.js';

/** Packets of all kinds for the comparison of kernel and explainer: whole, in pieces, to groups, behind options, about others. */
export interface Sent {
  readonly out: boolean;
  readonly packet: Buffer;
  /** As it goes over the cable, if not in one piece. */
  readonly pieces?: readonly Buffer[];
  /** The Ethernet address of a group. */
  readonly toMac?: string;
  readonly protocol: number;
  readonly to: string;
  readonly peer: string;
  readonly payload: Buffer;
}

function tag(number: number): Buffer {
  const bytes = Buffer.from('tag:0000');
  bytes.writeUInt32BE(number, 4);
  return bytes;
}

function transport(
  header: { from: string; to: string; protocol: number },
  pick: (below: number) => number,
  reply: boolean,
  number: number,
): Buffer {
  const client = 4000 + pick(2);
  const service = [0, 1, 2, 3, 4, 5, 6, 7, 8, 65_535][pick(10)] ?? 1;
  const ports = reply ? { from: service, to: client } : { from: client, to: service };
  const text = tag(number);
  switch (header.protocol) {
    case 6: {
      const { fin, syn, rst, ack } = tcpFlag;
      const first = reply ? syn | ack : syn;
      const later = [ack, ack, ack | tcpFlag.psh, fin | ack, rst | ack, syn | fin, fin, 0][pick(8)] ?? ack;
      const flags = pick(3) === 0 ? later : first;
      const sequence = flags === first ? 1 : 2;
      return tcp(header, { ...ports, flags, sequence, acknowledge: flags === syn ? 0 : 2 }, text);
    }
    case 17:
      return udp(header, ports, text);
    case 1:
    case 58: {
      const six = header.protocol === 58;
      const type = reply ? (six ? 129 : 0) : six ? 128 : 8;
      const message = Buffer.concat([Buffer.from([type, 0, 0, 0, 0, pick(2), 0, 1]), text]);
      message.writeUInt16BE(checksum(...(six ? [pseudoHeader(header, message.length)] : []), message), 2);
      return message;
    }
    default:
      return Buffer.concat([Buffer.from([0, 0, 8, 0]), text]);
  }
}

function randomPacket(node: Place, pick: (below: number) => number, number: number): Sent {
  const six = pick(2) === 0;
  const own = six ? node.ipv6 : node.ipv4;
  const other = six
    ? ['2001:db8:1::1', ...Array.from({ length: 4 }, (_, i) => `2001:db8::fffe:${i}`)]
    : ['192.0.2.1', ...Array.from({ length: 4 }, (_, i) => `10.0.0.${i + 1}`)];
  const peerAddress = other[pick(other.length)] ?? '192.0.2.1';
  const out = pick(2) === 0;
  const protocol = [6, 6, 17, 17, six ? 58 : 1, 47][pick(6)] ?? 17;
  // The kernel answers echo requests itself; those answers are kept out of the way, and so are ours that look like them.
  const reply = pick(2) === 0 && !(out && (protocol === 1 || protocol === 58));
  const header = { from: out ? own : peerAddress, to: out ? peerAddress : own, protocol };
  const payload = transport(header, pick, reply, number);
  return {
    out,
    protocol,
    to: header.to,
    peer: peerAddress,
    payload,
    packet: (six ? ipv6 : ipv4)(header, payload),
  };
}

/** In two pieces as a router would cut it, or so that they overlap, which no router would. */
function inPieces(sent: Sent, pick: (below: number) => number, id: number): Sent {
  const six = sent.packet[0] !== 0x45;
  // Only the last piece may end within eight bytes.
  const overlap = sent.payload.length > 16 && pick(6) === 0;
  const rest = sent.payload.subarray(8);
  const header = { from: sent.peer, to: sent.to, protocol: sent.protocol };
  const piece = (data: Buffer, offset: number, more: boolean): Buffer => {
    if (!six) return ipv4({ ...header, fragment: { id: id & 0xffff, offset, more } }, data);
    const fragment = Buffer.from([sent.protocol, 0, 0, 0, 0, 0, 0, 0]);
    fragment.writeUInt16BE(offset | (more ? 1 : 0), 2);
    fragment.writeUInt32BE(id, 4);
    return ipv6({ ...header, protocol: 44 }, Buffer.concat([fragment, data]));
  };
  const pieces = [piece(sent.payload.subarray(0, overlap ? 16 : 8), 0, true), piece(rest, 8, false)];
  return { ...sent, pieces: pick(2) === 0 ? pieces : pieces.reverse() };
}

/** Behind options for the destination, twice, where a filter that looks at the first header finds none that it knows. */
function behindOptions(sent: Sent): Sent {
  const options = (next: number): Buffer => Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
  const header = { from: sent.peer, to: sent.to, protocol: 60 };
  const packet = ipv6(header, Buffer.concat([options(60), options(sent.protocol), sent.payload]));
  return { ...sent, packet };
}

/** To all hosts of the cable. */
function toGroup(sent: Sent, number: number): Sent {
  const six = sent.packet[0] !== 0x45;
  const to = six ? 'ff02::1' : '224.0.0.1';
  const header = { from: sent.peer, to, protocol: 17 };
  const payload = udp(header, { from: 4000, to: number % 9 }, tag(number));
  const toMac = six ? '33:33:00:00:00:01' : '01:00:5e:00:00:01';
  return { ...sent, to, toMac, protocol: 17, payload, packet: (six ? ipv6 : ipv4)(header, payload) };
}

/** What a host says of a packet that came to it before, or of one that never was. */
function errorAbout(about: Sent, pick: (below: number) => number, number: number): Sent {
  const six = about.packet[0] !== 0x45;
  const [type, code] = six
    ? ((
        [
          [1, 4],
          [3, 0],
          [1, 1],
        ] as const
      )[pick(3)] ?? [1, 4])
    : ((
        [
          [3, 3],
          [11, 0],
          [3, 1],
        ] as const
      )[pick(3)] ?? [3, 3]);
  const protocol = six ? 58 : 1;
  const quoted = about.packet;
  const own = quoted.subarray(six ? 8 : 12, six ? 24 : 16);
  const to = six
    ? Array.from({ length: 8 }, (_, at) => own.readUInt16BE(at * 2).toString(16)).join(':')
    : [...own].join('.');
  const header = { from: about.peer, to, protocol };
  const payload = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), quoted, tag(number)]);
  payload.writeUInt16BE(checksum(...(six ? [pseudoHeader(header, payload.length)] : []), payload), 2);
  return {
    out: false,
    protocol,
    to,
    peer: about.peer,
    payload,
    packet: (six ? ipv6 : ipv4)(header, payload),
  };
}

export function randomPackets(
  node: Place,
  pick: (below: number) => number,
  from: number,
  count: number,
): readonly Sent[] {
  const all: Sent[] = [];
  for (let number = from; all.length < count; number++) {
    const plain = randomPacket(node, pick, number);
    const kind = plain.out ? undefined : pick(6);
    const earlier = all.filter(({ out, protocol }) => out && protocol !== 1 && protocol !== 58);
    const about =
      pick(4) === 0 ? { ...plain, ...randomOut(node, pick, number) } : earlier[pick(earlier.length)];
    if (kind === 0) all.push(inPieces(plain, pick, number + 1));
    else if (kind === 1 && plain.packet[0] !== 0x45) all.push(behindOptions(plain));
    else if (kind === 2) all.push(toGroup(plain, number));
    else if (kind === 3 && about) all.push(errorAbout(about, pick, number));
    else all.push(plain);
  }
  return all;
}

/** One that is never sent. */
function randomOut(node: Place, pick: (below: number) => number, number: number): Sent {
  for (;;) {
    const made = randomPacket(node, pick, number);
    if (made.out && made.protocol !== 1 && made.protocol !== 58) return made;
  }
}

export function piecesOf({ packet, pieces }: Sent): readonly Buffer[] {
  return pieces ?? [packet];
}
