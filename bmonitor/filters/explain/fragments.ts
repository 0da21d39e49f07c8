import { limits } from '../../../protocol/limits.js';
import { addressKey, type Fragment, type Packet } from './decode.js';

/** Joins fragments as the kernel does before it filters: nothing is judged until all are there. */
interface Group {
  readonly since: number;
  readonly numbers: number[];
  readonly parts: { readonly from: number; readonly to: number }[];
  head: Packet | undefined;
  length: number | undefined;
}

export type Joined =
  | { readonly kind: 'waiting' }
  /** All are there: the first of them has the ports, and stands for all. */
  | { readonly kind: 'whole'; readonly head: Packet; readonly numbers: readonly number[] }
  /** They overlap, which only an attacker's do. */
  | { readonly kind: 'overlapping'; readonly numbers: readonly number[] };

/** The kernel's default. */
const seconds_max = 30;

export class Fragments {
  readonly #groups = new Map<string, Group>();
  #held = 0;

  add(packet: Packet, fragment: Fragment, number: number, now: number): Joined {
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
    const part = { from: fragment.offset, to: fragment.offset + fragment.length };
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
    return { kind: 'whole', head: group.head, numbers: group.numbers };
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

function keyOf(packet: Packet, fragment: Fragment): string {
  const ends = `${addressKey(packet, packet.sourceAt)} ${addressKey(packet, packet.destinationAt)}`;
  return `${packet.family} ${ends} ${packet.family === 4 ? packet.protocol : ''} ${fragment.id}`;
}
