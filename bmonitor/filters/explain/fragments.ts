import { limits } from '../../../protocol/limits.js';
import { icmpv6, tcp, udp } from '../protocols.js';
import { addressKey, type Fragment, type Packet } from './decode.js';

/** Joins fragments as the kernel does before it filters: nothing is judged until all are there. */
interface Group {
  readonly since: number;
  readonly numbers: number[];
  readonly parts: Part[];
  head: Packet | undefined;
  length: number | undefined;
}

interface Part {
  readonly from: number;
  readonly to: number;
  /** What it carries, as far as the capture has it and filters look at it. */
  readonly data: Buffer;
}

export type Joined =
  | { readonly kind: 'waiting' }
  /** All are there: the head has as much of them as filters look at, which may stand in more than the first. */
  | { readonly kind: 'whole'; readonly head: Packet; readonly numbers: readonly number[] }
  /** Of IPv6, the first must hold the whole transport header: the kernel takes no other, and the rest waits in vain. */
  | { readonly kind: 'short' }
  /** They overlap, which only an attacker's do. */
  | { readonly kind: 'overlapping'; readonly numbers: readonly number[] };

/** The kernel's default. */
const seconds_max = 30;
/** Room for headers, and for those of the packet that an ICMP error quotes. */
const judged_bytes = 256;

export class Fragments {
  readonly #groups = new Map<string, Group>();
  #held = 0;

  add(packet: Packet, fragment: Fragment, number: number, now: number): Joined {
    if (fragment.offset === 0 && packet.family === 6 && fragment.length < headerBytes(packet.protocol))
      return { kind: 'short' };
    const key = keyOf(packet, fragment);
    const group: Group = this.#groups.get(key) ?? {
      since: now,
      numbers: [],
      parts: [],
      head: undefined,
      length: undefined,
    };
    this.#groups.set(key, group);
    group.numbers.push(number);
    this.#held++;
    const part = partOf(packet, fragment);
    const same = group.parts.some(({ from, to }) => from === part.from && to === part.to);
    if (!same) {
      if (group.parts.some(({ from, to }) => from < part.to && part.from < to)) {
        this.#drop(key, group);
        return { kind: 'overlapping', numbers: group.numbers };
      }
      group.parts.push(part);
    }
    if (fragment.offset === 0) group.head ??= packet;
    if (!fragment.more) group.length = part.to;
    const covered = group.parts.reduce((sum, { from, to }) => sum + to - from, 0);
    if (group.head === undefined || covered !== group.length) return { kind: 'waiting' };
    this.#drop(key, group);
    return { kind: 'whole', head: joined(group.head, group.parts), numbers: group.numbers };
  }

  /** The numbers of packets whose other fragments did not come in time, or for which there is no room. */
  expired(now: number): readonly number[] {
    const numbers: number[] = [];
    for (const [key, group] of this.#groups) {
      if (group.since + seconds_max >= now && this.#held <= limits.capture_fragments_max) break;
      this.#drop(key, group);
      numbers.push(...group.numbers);
    }
    return numbers;
  }

  #drop(key: string, group: Group): void {
    this.#groups.delete(key);
    this.#held -= group.numbers.length;
  }
}

function headerBytes(protocol: number): number {
  if (protocol === tcp) return 20;
  return protocol === udp || protocol === icmpv6 ? 8 : 1;
}

function partOf({ bytes, payloadAt }: Packet, { offset, length }: Fragment): Part {
  const held = Math.min(length, Math.max(0, judged_bytes - offset));
  const data = Buffer.from(bytes.subarray(payloadAt, payloadAt + held));
  return { from: offset, to: offset + length, data };
}

/** Where the capture cut a part, what comes after it is not known to stand there. */
function joined(head: Packet, parts: readonly Part[]): Packet {
  const data: Buffer[] = [];
  let end = 0;
  for (const part of parts.toSorted((a, b) => a.from - b.from)) {
    if (part.from !== end) break;
    data.push(part.data);
    end += part.data.length;
  }
  return { ...head, bytes: Buffer.concat([head.bytes.subarray(0, head.payloadAt), ...data]) };
}

function keyOf(packet: Packet, fragment: Fragment): string {
  const ends = `${addressKey(packet, packet.sourceAt)} ${addressKey(packet, packet.destinationAt)}`;
  return `${packet.family} ${ends} ${packet.family === 4 ? packet.protocol : ''} ${fragment.id}`;
}
