import { limits } from '../../../protocol/limits.js';
import type { Family } from '../model.js';
import { udp } from '../protocols.js';
import { addressKey, type Packet, type Transport } from './decode.js';
import { icmpReplyOf, icmpRequestOf } from './essential.js';
import type { Outcome } from './outcome.js';
import { tcpSeconds, type TcpState } from './tcp.js';

/** The connections that the capture shows so far, as the kernel's connection tracking would know them. */
export interface Flow {
  readonly keys: readonly string[];
  readonly protocol: number;
  /** `twoway`: replies pass. `oneway`: they do not. `middle`: it began before the capture. */
  readonly kind: 'twoway' | 'oneway' | 'middle';
  /** For packets of the starter, and for replies. */
  readonly forward: Outcome;
  readonly backward: Outcome;
  tcp: TcpState | undefined;
  replied: boolean;
  /** Its beginning was missed: the kernel is lenient with it. */
  readonly pickedUp?: true;
  expires: number;
}

export interface Found {
  readonly flow: Flow;
  readonly reply: boolean;
}

const udplite = 136;
const seconds = { udp: 30, udpReplied: 120, icmp: 30, other: 600, tcpPickedUp: 300 } as const;

export class Flows {
  readonly #found = new Map<string, Found>();

  find(key: string, now: number): Found | undefined {
    const found = this.#found.get(key);
    if (found === undefined || found.flow.expires >= now) return found;
    this.remove(found.flow);
    return undefined;
  }

  add(flow: Flow, now: number): void {
    if (this.#found.size >= limits.capture_flows_max * 2) this.#makeRoom(now);
    for (const [index, key] of flow.keys.entries()) this.#found.set(key, { flow, reply: index > 0 });
    this.touch(flow, now);
  }

  remove(flow: Flow): void {
    for (const key of flow.keys) if (this.#found.get(key)?.flow === flow) this.#found.delete(key);
  }

  touch(flow: Flow, now: number): void {
    flow.expires = now + lifetime(flow);
  }

  /** First what has ended by itself, then a tenth of the oldest. */
  #makeRoom(now: number): void {
    for (const { flow } of this.#found.values()) if (flow.expires < now) this.remove(flow);
    if (this.#found.size < limits.capture_flows_max * 2) return;
    let left = limits.capture_flows_max / 10;
    for (const { flow } of this.#found.values()) {
      if (left-- <= 0) return;
      this.remove(flow);
    }
  }
}

function lifetime(flow: Flow): number {
  if (flow.tcp === 'ES' && !flow.replied) return seconds.tcpPickedUp;
  if (flow.tcp !== undefined) return tcpSeconds[flow.tcp];
  if (flow.protocol === udp || flow.protocol === udplite)
    return flow.replied ? seconds.udpReplied : seconds.udp;
  return flow.protocol === 1 || flow.protocol === 58 ? seconds.icmp : seconds.other;
}

interface Ends {
  readonly source: string | number;
  readonly destination: string | number;
}

function key(family: Family, protocol: number, ends: Ends, from: number, to: number): string {
  return `${family} ${protocol} ${ends.source} ${from} ${ends.destination} ${to}`;
}

/** The key of this packet's own tuple, and that of a packet which answers it. */
export function flowKeys(packet: Packet, transport: Transport): readonly [own: string, other: string] {
  const { family, protocol } = packet;
  const there: Ends = {
    source: addressKey(packet, packet.sourceAt),
    destination: addressKey(packet, packet.destinationAt),
  };
  const back: Ends = { source: there.destination, destination: there.source };
  switch (transport.kind) {
    case 'ports': {
      const { source, destination } = transport;
      return [
        key(family, protocol, there, source, destination),
        key(family, protocol, back, destination, source),
      ];
    }
    case 'icmp': {
      const { id, type } = transport;
      const answer = icmpReplyOf(family, type) ?? icmpRequestOf(family, type) ?? 256;
      return [key(family, protocol, there, id, type), key(family, protocol, back, id, answer)];
    }
    case 'plain':
      return [key(family, protocol, there, 0, 0), key(family, protocol, back, 0, 0)];
  }
}
