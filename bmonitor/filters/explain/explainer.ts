import { limits } from '../../../protocol/limits.js';
import type { LevelBoxes } from '../boxes.js';
import type { Direction, PeerRange } from '../model.js';
import { isGroup } from '../normalise.js';
import { hasPorts, servicePoint, tcp } from '../protocols.js';
import { addressValue, quotedPacket, transportOf, type Packet, type Transport } from './decode.js';
import { claimedAt, essential, icmpReplyOf, isIcmpError } from './essential.js';
import { flowKeys, Flows, type Flow, type Found } from './flows.js';
import { Judge, type PointJudgement } from './judge.js';
import { judged, outcome, type Outcome } from './outcome.js';
import { acknowledgesNothing, follow, isPickedUp, isPossible, isStart } from './tcp.js';

export interface ExplainOptions {
  readonly levels: readonly LevelBoxes[];
  /** The node's own addresses. */
  readonly addresses: readonly PeerRange[];
  /** The capture holds every packet since the node knew no connection: nothing in it can be the middle of one. */
  readonly whole?: boolean;
}

interface Place {
  readonly direction: Direction;
  readonly peer: bigint;
  /** The multicast or broadcast address that the packet came in for. */
  readonly group: bigint | undefined;
}

const claims = outcome('drop', 'a neighbour that claims an address of the node');
const noConnection = outcome('drop', 'it belongs to no connection, and does not start one');
const middle = outcome(
  'ambiguous',
  'the capture begins in the middle of this connection: who started it is not known',
);
const foreign = outcome('drop', 'neither from nor to an address of the node');
const withinNode = outcome('ignored', 'between addresses of the node itself');
const answerPasses = outcome('pass', 'it reports an error of a connection that passes');
const answerRefused = outcome('drop', 'it reports an error, but of no connection that may be answered');

/** Judges packets one after the other, whole ones: fragments are joined before (fragments.ts). README.md has the rules. */
export class Explainer {
  readonly #judge: Judge;
  readonly #own: ReadonlySet<string>;
  readonly #whole: boolean;
  readonly #flows = new Flows();
  /** Outcomes that depend on nothing but the packet's tuple. */
  readonly #settled = new Map<string, Outcome>();

  constructor(options: ExplainOptions) {
    this.#judge = new Judge(options.levels);
    this.#own = new Set(options.addresses.map((address) => `${address.family} ${address.lo}`));
    this.#whole = options.whole === true;
  }

  /** undefined: the packet holds too little to say. */
  explain(packet: Packet, now: number): Outcome | undefined {
    const transport = transportOf(packet);
    if (transport === undefined) return undefined;
    const claimed = claimedAt(packet, transport);
    if (claimed !== undefined && this.#isOwn(6, addressValue(packet, claimed)) && !this.#isFromHere(packet))
      return claims;
    const settledBefore = essential(packet, transport);
    if (settledBefore !== undefined) return outcome('ignored', settledBefore);
    const [own, other] = flowKeys(packet, transport);
    const found = this.#flows.find(own, now);
    let invalid = transport.kind === 'ports' && packet.protocol === tcp && !isPossible(transport.flags);
    if (found !== undefined) {
      const known = this.#known(found, transport, now);
      if (typeof known !== 'string') return known;
      invalid = known === 'invalid';
    }
    const settled = this.#settled.get(own);
    if (settled !== undefined && startsFlow(packet, transport)) return settled;
    const place = this.#placeOf(packet);
    if (!('direction' in place)) return place;
    if (isIcmpError(packet, transport)) return this.#answer(packet, place, transport, now);
    if (invalid) return this.#invalid(packet, place, transport);
    if (startsFlow(packet, transport)) return this.#start(packet, place, transport, [own, other], now);
    // What began in this capture and was refused did not begin before it.
    const refusedBefore = this.#settled.has(own) || this.#settled.has(other);
    return this.#whole || refusedBefore
      ? this.#stray(packet, place, transport, [own, other], now)
      : this.#middle(packet, place, transport, [own, other], now);
  }

  #isOwn(family: number, address: bigint): boolean {
    return this.#own.has(`${family} ${address}`);
  }

  #isFromHere(packet: Packet): boolean {
    return this.#isOwn(packet.family, addressValue(packet, packet.sourceAt));
  }

  #placeOf(packet: Packet): Place | Outcome {
    const { family } = packet;
    const source = addressValue(packet, packet.sourceAt);
    const destination = addressValue(packet, packet.destinationAt);
    const [from, to] = [this.#isOwn(family, source), this.#isOwn(family, destination)];
    if (from && to) return withinNode;
    if (from) return { direction: 'out', peer: destination, group: undefined };
    if (to) return { direction: 'in', peer: source, group: undefined };
    if (isGroup(family, destination)) return { direction: 'in', peer: source, group: destination };
    return foreign;
  }

  /** A packet of a connection that is known; `over`: it is not part of it, because that one has ended. */
  #known({ flow, reply }: Found, transport: Transport, now: number): Outcome | 'over' | 'invalid' {
    const flags = transport.kind === 'ports' ? transport.flags : 0;
    if (flow.kind === 'middle') {
      if (flow.protocol === tcp && isStart(flags)) {
        this.#flows.remove(flow);
        return 'over';
      }
    } else if (flow.tcp !== undefined) {
      const unheard = !reply && !flow.replied && flow.pickedUp !== true;
      if (unheard && transport.kind === 'ports' && acknowledgesNothing(flow.tcp, transport)) return 'invalid';
      const next = follow(flow.tcp, flags, reply);
      if (next === 'invalid') return 'invalid';
      if (next === 'again') {
        this.#flows.remove(flow);
        return 'over';
      }
      flow.tcp = next;
    }
    if (reply) flow.replied = true;
    this.#flows.touch(flow, now);
    return reply ? flow.backward : flow.forward;
  }

  #point(packet: Packet, place: Place, transport: Transport, side: 'destination' | 'source'): PointJudgement {
    const port = transport.kind === 'ports' ? transport[side] : 0;
    const service = servicePoint(packet.protocol, hasPorts(packet.protocol) ? port : 0);
    const direction = side === 'destination' ? place.direction : place.direction === 'in' ? 'out' : 'in';
    return this.#judge.at(direction, packet.family, place.peer, service);
  }

  /** The group must be allowed as a peer, besides the sender; undefined if it is. */
  #groupRefuses(packet: Packet, place: Place, transport: Transport): Outcome | undefined {
    if (place.group === undefined) return undefined;
    const { oneway } = this.#point(packet, { ...place, peer: place.group }, transport, 'destination');
    return oneway.passes ? undefined : judged(oneway, 'as a packet to a group: ');
  }

  #start(
    packet: Packet,
    place: Place,
    transport: Transport,
    keys: readonly [string, string],
    now: number,
  ): Outcome {
    const point = this.#point(packet, place, transport, 'destination');
    const refused = this.#groupRefuses(packet, place, transport);
    if (refused !== undefined) return this.#settle(keys[0], refused);
    if (!point.oneway.passes && !point.twoway.passes) return this.#settle(keys[0], judged(point.oneway));
    const kind = point.twoway.passes ? 'twoway' : 'oneway';
    const flow: Flow = {
      keys,
      protocol: packet.protocol,
      kind,
      forward: point.twoway.passes ? judged(point.twoway) : judged(point.oneway, 'one way: '),
      backward: judged(point.twoway, 'a reply: '),
      tcp: packet.protocol === tcp ? 'SS' : undefined,
      replied: false,
      expires: 0,
    };
    this.#flows.add(flow, now);
    return flow.forward;
  }

  #settle(key: string, result: Outcome): Outcome {
    if (this.#settled.size >= limits.capture_settled_max) this.#settled.clear();
    this.#settled.set(key, result);
    return result;
  }

  /** What connection tracking calls invalid: nothing that may be answered, so only a one-way allow can let it pass. */
  #invalid(packet: Packet, place: Place, transport: Transport): Outcome {
    const point = this.#point(packet, place, transport, 'destination');
    const refused = this.#groupRefuses(packet, place, transport);
    if (refused !== undefined) return refused;
    if (point.twoway.passes) return noConnection;
    return judged(point.oneway, point.oneway.passes ? 'one way: ' : '');
  }

  /** No connection is known; but after an acknowledgement that passes one way the kernel takes what comes back for a reply. */
  #stray(
    packet: Packet,
    place: Place,
    transport: Transport,
    keys: readonly [string, string],
    now: number,
  ): Outcome {
    const result = this.#invalid(packet, place, transport);
    if (result.verdict !== 'pass' || transport.kind !== 'ports' || packet.protocol !== tcp) return result;
    if (!isPickedUp(transport.flags)) return result;
    const { twoway } = this.#point(packet, place, transport, 'destination');
    const backward = judged(twoway, 'a reply: ');
    const flow = { keys, protocol: tcp, kind: 'oneway', forward: result, backward, tcp: 'ES' } as const;
    this.#flows.add({ ...flow, replied: false, pickedUp: true, expires: 0 }, now);
    return result;
  }

  #middle(
    packet: Packet,
    place: Place,
    transport: Transport,
    keys: readonly [string, string],
    now: number,
  ): Outcome {
    const begun = this.#point(packet, place, transport, 'destination');
    const answered = this.#point(packet, place, transport, 'source');
    const refused = !begun.oneway.passes && !begun.twoway.passes && !answered.twoway.passes;
    if (refused) return judged(begun.oneway, 'whoever started it: ');
    const flow: Flow = {
      keys,
      protocol: packet.protocol,
      kind: 'middle',
      forward: middle,
      backward: middle,
      tcp: packet.protocol === tcp ? 'ES' : undefined,
      replied: true,
      expires: 0,
    };
    this.#flows.add(flow, now);
    return middle;
  }

  /** An ICMP error goes with the connection it is about. */
  #answer(packet: Packet, place: Place, transport: Transport, now: number): Outcome {
    const quoted = quotedPacket(packet);
    const quotedTransport = quoted === undefined ? undefined : quotedTransportOf(quoted);
    if (quoted !== undefined && quotedTransport !== undefined) {
      const found = this.#flows.find(flowKeys(quoted, quotedTransport)[0], now);
      if (found !== undefined) {
        if (found.flow.kind === 'middle') return middle;
        return found.flow.kind === 'twoway' ? answerPasses : answerRefused;
      }
    }
    const alone = this.#invalid(packet, place, transport);
    if (this.#whole || (alone.verdict === 'drop' && alone !== noConnection)) return alone;
    return outcome('ambiguous', 'it reports an error of a connection that the capture does not show');
  }
}

/** An error quotes only the first 8 bytes of a transport header for certain: enough for the ports, not for TCP's flags. */
function quotedTransportOf(quoted: Packet): Transport | undefined {
  const { bytes, payloadAt: at, protocol } = quoted;
  if (!hasPorts(protocol)) return transportOf(quoted);
  if (bytes.length < at + 4) return undefined;
  const [source, destination] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2)];
  return { kind: 'ports', source, destination, flags: 0, acknowledges: 0 };
}

function startsFlow(packet: Packet, transport: Transport): boolean {
  if (packet.protocol === tcp) return transport.kind === 'ports' && isStart(transport.flags);
  return transport.kind !== 'icmp' || icmpReplyOf(packet.family, transport.type) !== undefined;
}
