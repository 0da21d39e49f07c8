import type { WebSocket } from 'ws';
import type { PublicKey } from '../../crypto/rsa.js';
import {
  formatGatewayFrame,
  parseGatewayFrame,
  type GatewayFrame,
  type GatewayRole,
  type Proof,
} from '../../protocol/gateway/frames.js';
import { checkProof } from '../../protocol/gateway/proof.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { bytesOf } from '../../protocol/socket.js';
import { Budget } from '../../console/nodes/budget.js';

/** Who may come, and what may be joined. The gateway knows keys and customers; what is said it cannot know. */
export interface GatewayPolicy {
  node(key: PublicKey): Promise<Result<true>>;
  /** The party whose limits the console shares. */
  console(key: PublicKey): Promise<Result<{ readonly party: string }>>;
  mayJoin(party: string, node: string): Promise<Result<true>>;
}

export interface HubOptions {
  readonly policy: GatewayPolicy;
  /** The key of the TLS certificate under which the gateway is reached; absent only without TLS. */
  readonly pin?: string;
  readonly newNonce: () => string;
  /** Never jumps: for rates. */
  readonly now: () => number;
  readonly wall: () => number;
  readonly log: Log;
}

/** Two ends that are joined. Credit is what each end may still send. */
interface Joint {
  readonly console: Peer;
  readonly consoleChannel: number;
  readonly node: Peer;
  readonly nodeChannel: number;
  opened: boolean;
  readonly ofConsole: Credit;
  readonly ofNode: Credit;
}

/** `promised` is what the receiver granted; `usable` what of it was passed on to the sender. */
interface Credit {
  usable: number;
  promised: number;
}

const firstCredit = (): Credit => ({
  usable: limits.gateway_window_bytes,
  promised: limits.gateway_window_bytes,
});

export interface HubView {
  readonly nodes: readonly string[];
  readonly consoles: number;
  readonly channels: number;
  /** Nodes that knocked and are not known: waiting to be adopted. */
  readonly waiting: readonly { readonly id: string; readonly source: string; readonly at: number }[];
}

/**
 * Joins consoles to nodes that have dialled in, and passes on pieces of what it cannot read.
 *
 * INVARIANTS:
 * - Nobody is joined who has not proved a key that the policy accepts.
 * - A piece is passed on only within the credit that its receiver granted, so what waits here for a slow receiver is at most
 *   one window for each of its channels.
 * - A joint is in the channels of both its peers, or of neither.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #nodes = new Map<string, Peer>();
  readonly #consoles = new Set<Peer>();
  readonly #waiting = new Map<string, { id: string; source: string; at: number }>();
  readonly #budgets = new Map<string, { readonly bytes: Budget; readonly opens: Budget }>();
  #strangers = 0;
  #connections = 0;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  view(): HubView {
    const consoles = [...this.#consoles];
    return {
      nodes: [...this.#nodes.keys()],
      consoles: consoles.length,
      channels: consoles.reduce((sum, { channels }) => sum + channels.size, 0),
      waiting: [...this.#waiting.values()],
    };
  }

  close(): void {
    for (const peer of [...this.#nodes.values(), ...this.#consoles]) peer.socket.terminate();
  }

  /** What the policy does not allow any more (a lease ended, a guest was sent away) is parted at once. */
  async partUnwelcome(): Promise<void> {
    for (const console of this.#consoles)
      for (const joint of console.channels.values()) {
        const may = await this.#options.policy.mayJoin(console.party, joint.node.id);
        if (!may.ok) this.#part(joint, { code: 'gateway-not-yours' });
      }
  }

  accept(socket: WebSocket, source: string): void {
    if (
      this.#strangers >= limits.gateway_strangers_max ||
      this.#connections >= limits.gateway_connections_max
    ) {
      socket.terminate();
      return;
    }
    this.#connections += 1;
    this.#strangers += 1;
    let stranger = true;
    const known = (): void => {
      if (stranger) this.#strangers -= 1;
      stranger = false;
    };
    const nonce = this.#options.newNonce();
    const tooLate = setTimeout(() => socket.terminate(), limits.gateway_proof_ms_max);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#connections -= 1;
      clearTimeout(tooLate);
      known();
    });
    socket.once('message', (data, isBinary) => {
      const frame = parseGatewayFrame(bytesOf(data));
      if (!isBinary || !frame.ok || frame.value.kind !== 'proof') return socket.terminate();
      // What follows the proof waits until it is known who sends it.
      socket.pause();
      void this.#enter(socket, frame.value.body, nonce, source).then((entered) => {
        clearTimeout(tooLate);
        known();
        if (!entered.ok) refuseAndClose(socket, entered.refusal);
        if (socket.isPaused) socket.resume();
      });
    });
    socket.send(formatGatewayFrame({ kind: 'challenge', body: { v: 1, nonce } }));
  }

  async #enter(socket: WebSocket, proof: Proof, nonce: string, source: string): Promise<Result<true>> {
    const { policy, pin, log } = this.#options;
    const key = await checkProof(proof, nonce, pin);
    if (!key.ok) return key;
    if (proof.role === 'node') {
      const known = await policy.node(key.value);
      if (!known.ok) {
        this.#knocked(key.value.id, source);
        return known;
      }
    }
    const party =
      proof.role === 'console' ? await policy.console(key.value) : ok({ party: `node ${key.value.id}` });
    if (!party.ok) return party;
    if (socket.readyState !== socket.OPEN) return refuse('unreachable');
    const peer = new Peer(socket, proof.role, key.value.id, party.value.party);
    this.#take(peer);
    log.info('gateway-joined', { role: peer.role, id: peer.id, source });
    const channels =
      peer.role === 'node' ? limits.gateway_channels_per_node_max : limits.gateway_channels_per_console_max;
    peer.write({ kind: 'welcome', body: { v: 1, channels } });
    return ok(true);
  }

  #knocked(id: string, source: string): void {
    this.#waiting.delete(id);
    this.#waiting.set(id, { id, source, at: this.#options.wall() });
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= limits.gateway_waiting_nodes_max) return;
      this.#waiting.delete(oldest);
    }
  }

  #take(peer: Peer): void {
    if (peer.role === 'node') {
      const before = this.#nodes.get(peer.id);
      if (before) refuseAndClose(before.socket, { code: 'gateway-replaced' });
      this.#nodes.set(peer.id, peer);
      this.#waiting.delete(peer.id);
    } else this.#consoles.add(peer);
    peer.socket.on('message', (data, isBinary) => {
      const bytes = bytesOf(data);
      const frame = parseGatewayFrame(bytes);
      if (isBinary && frame.ok) void this.#pass(peer, frame.value, bytes);
      else this.#drop(peer, 'malformed');
    });
    const ping = setInterval(() => {
      if (!peer.alive) return peer.socket.terminate();
      peer.alive = false;
      peer.socket.ping();
    }, limits.gateway_ping_ms);
    peer.socket.ping();
    peer.socket.on('pong', () => (peer.alive = true));
    peer.socket.once('close', () => {
      clearInterval(ping);
      this.#left(peer);
    });
  }

  #left(peer: Peer): void {
    if (this.#nodes.get(peer.id) === peer) this.#nodes.delete(peer.id);
    this.#consoles.delete(peer);
    for (const joint of peer.channels.values())
      this.#part(joint, { code: 'unreachable', detail: `the ${peer.role} left the gateway` });
  }

  #drop(peer: Peer, why: string): void {
    this.#options.log.warn('gateway-dropped', { role: peer.role, id: peer.id, why });
    peer.socket.terminate();
  }

  async #pass(from: Peer, frame: GatewayFrame, bytes: Buffer): Promise<void> {
    switch (frame.kind) {
      case 'open':
        return from.role === 'console' && frame.body.to !== undefined
          ? this.#open(from, frame.channel, frame.body.to)
          : this.#drop(from, 'open');
      case 'opened': {
        const joint = from.channels.get(frame.channel);
        if (from.role !== 'node' || !joint || joint.opened) return;
        joint.opened = true;
        joint.console.write({ kind: 'opened', channel: joint.consoleChannel });
        return;
      }
      case 'close': {
        const joint = from.channels.get(frame.channel);
        if (joint) this.#part(joint, frame.body, from);
        return;
      }
      case 'data':
        return this.#data(from, frame.channel, frame.bytes.length, bytes);
      case 'credit':
        return this.#credit(from, frame.channel, frame.bytes);
      case 'challenge':
      case 'proof':
      case 'welcome':
      case 'refused':
        return this.#drop(from, frame.kind);
    }
  }

  async #open(console: Peer, channel: number, to: string): Promise<void> {
    const refused = (refusal: Refusal): void =>
      console.write({ kind: 'close', channel, body: { code: refusal.code, detail: refusal.detail ?? '' } });
    if (channel <= console.last) return this.#drop(console, 'a channel number twice');
    console.last = channel;
    if (console.channels.size >= limits.gateway_channels_per_console_max)
      return refused({ code: 'too-many', detail: 'channels of this console' });
    if (this.#budgetOf(console.party).opens.spend(1, this.#options.now()) > 0)
      return refused({ code: 'too-many', detail: 'channels opened in a second' });
    const may = await this.#options.policy.mayJoin(console.party, to);
    if (!may.ok) return refused(may.refusal);
    const node = this.#nodes.get(to);
    if (!node) return refused({ code: 'gateway-node-away', detail: to });
    if (node.channels.size >= limits.gateway_channels_per_node_max)
      return refused({ code: 'too-many', detail: 'channels to this node' });
    if (!this.#consoles.has(console)) return;
    const joint: Joint = {
      console,
      consoleChannel: channel,
      node,
      nodeChannel: (node.last += 1),
      opened: false,
      ofConsole: firstCredit(),
      ofNode: firstCredit(),
    };
    console.channels.set(channel, joint);
    node.channels.set(joint.nodeChannel, joint);
    node.write({ kind: 'open', channel: joint.nodeChannel, body: { from: console.id } });
  }

  #data(from: Peer, channel: number, size: number, bytes: Buffer): void {
    const joint = from.channels.get(channel);
    // A late piece of a channel that was closed meanwhile is nobody's fault.
    if (!joint) return;
    const byConsole = from === joint.console;
    if (!byConsole && !joint.opened) return this.#part(joint, { code: 'gateway-overrun' });
    const credit = byConsole ? joint.ofConsole : joint.ofNode;
    if (size > credit.usable) return this.#part(joint, { code: 'gateway-overrun' });
    credit.usable -= size;
    credit.promised -= size;
    joint.console.owed = this.#budgetOf(joint.console.party).bytes.spend(size, this.#options.now());
    // The piece itself is passed on untouched: only the number of the channel differs between the two sides.
    bytes.writeUInt32BE(byConsole ? joint.nodeChannel : joint.consoleChannel, 1);
    (byConsole ? joint.node : joint.console).writeBytes(bytes);
  }

  /** A party beyond its rate gets its credit later: it waits, instead of filling memory or being cut off. */
  #credit(from: Peer, channel: number, bytes: number): void {
    const joint = from.channels.get(channel);
    if (!joint) return;
    const byConsole = from === joint.console;
    const credit = byConsole ? joint.ofNode : joint.ofConsole;
    credit.promised += bytes;
    if (credit.promised > limits.gateway_window_bytes) return this.#part(joint, { code: 'gateway-overrun' });
    const grant = (): void => {
      if (from.channels.get(channel) !== joint) return;
      credit.usable += bytes;
      const other = byConsole ? joint.node : joint.console;
      const number = byConsole ? joint.nodeChannel : joint.consoleChannel;
      other.write({ kind: 'credit', channel: number, bytes });
    };
    const wait = joint.console.owed;
    if (wait > 0) setTimeout(grant, wait);
    else grant();
  }

  /** Ends a joint at both ends, except at the one that ended it. */
  #part(joint: Joint, reason: { code: string; detail?: string }, by?: Peer): void {
    const { console, consoleChannel, node, nodeChannel } = joint;
    if (console.channels.get(consoleChannel) !== joint) return;
    console.channels.delete(consoleChannel);
    node.channels.delete(nodeChannel);
    if (by !== console) console.write({ kind: 'close', channel: consoleChannel, body: reason });
    if (by !== node) node.write({ kind: 'close', channel: nodeChannel, body: reason });
  }

  #budgetOf(party: string): { readonly bytes: Budget; readonly opens: Budget } {
    let budget = this.#budgets.get(party);
    if (!budget) {
      const now = this.#options.now();
      const bytes = limits.gateway_bytes_per_customer_per_s;
      const opens = limits.gateway_opens_per_customer_per_s;
      budget = { bytes: new Budget(bytes, bytes, now), opens: new Budget(opens, 4 * opens, now) };
      this.#budgets.set(party, budget);
    }
    return budget;
  }
}

class Peer {
  readonly socket: WebSocket;
  readonly role: GatewayRole;
  readonly id: string;
  readonly party: string;
  readonly channels = new Map<number, Joint>();
  /** The highest channel number that was used. */
  last = 0;
  alive = true;
  /** For how many milliseconds its party has spent ahead. */
  owed = 0;

  constructor(socket: WebSocket, role: GatewayRole, id: string, party: string) {
    this.socket = socket;
    this.role = role;
    this.id = id;
    this.party = party;
  }

  write(frame: GatewayFrame): void {
    this.writeBytes(formatGatewayFrame(frame));
  }

  writeBytes(bytes: Buffer): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.send(bytes);
  }
}

function refuseAndClose(socket: WebSocket, refusal: Refusal): void {
  const body = { code: refusal.code, ...(refusal.detail === undefined ? {} : { detail: refusal.detail }) };
  if (socket.readyState === socket.OPEN) socket.send(formatGatewayFrame({ kind: 'refused', body }));
  socket.close(1008, refusal.code);
  setTimeout(() => socket.terminate(), limits.socket_closing_ms_max).unref();
}
