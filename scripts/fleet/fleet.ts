import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { selfSignedPem } from '../../crypto/certificate.js';
import { makePair, type PublicKey } from '../../crypto/rsa.js';
import type { NodeCard } from '../../protocol/node-card.js';
import { certificatePin } from '../../protocol/pin.js';
import { concerns, type Failure, type FailureKind } from './failures.js';
import { SimulatedNode } from './node.js';
import { FleetPairs } from './pairs.js';
import { Talk } from './talk.js';

export interface FleetOptions {
  readonly nodes: number;
  readonly heartbeat_ms: number;
  /** The console whose key they have enrolled in their first level. */
  readonly landlord: PublicKey;
  /** How many different pairs of levels they share. */
  readonly levelPairs?: number;
}

const slice_ms = 20;

/**
 * Thousands of nodes in one process. All of them listen on one port, each at an address of its own within 127.0.0.0/8, so that a console dials them
 * one by one as it dials real ones.
 */
export class Fleet {
  readonly nodes: readonly SimulatedNode[];
  readonly #server: Server;
  readonly #pin: string;
  readonly #talks = new Map<SimulatedNode, Set<Talk>>();
  /** Who is due in which slice of the time between two heartbeats. */
  readonly #wheel: SimulatedNode[][];
  #at = 0;
  #timer: NodeJS.Timeout | undefined;
  beats = 0;

  private constructor(
    options: FleetOptions,
    nodes: readonly SimulatedNode[],
    tls: { key: string; cert: string },
  ) {
    this.nodes = nodes;
    this.#pin = certificatePin(tls.cert);
    const slices = Math.max(1, Math.round(options.heartbeat_ms / slice_ms));
    this.#wheel = Array.from({ length: slices }, () => []);
    for (const node of nodes) this.#wheel[node.index % slices]?.push(node);
    this.#server = createServer({ ...tls, minVersion: 'TLSv1.3' });
    this.#server.on('connection', (socket: Socket) => {
      const node = this.#nodeAt(socket.localAddress);
      if (!node || node.failing.has('away')) socket.destroy();
    });
    const sockets = new WebSocketServer({ server: this.#server, perMessageDeflate: false, autoPong: false });
    sockets.on('connection', (socket, request) => {
      const node = this.#nodeAt(request.socket.localAddress);
      if (!node || node.failing.has('away')) return socket.terminate();
      const talks = this.#talks.get(node) ?? new Set();
      this.#talks.set(node, talks);
      talks.add(new Talk(node, socket, (talk) => talks.delete(talk)));
    });
  }

  static async make(options: FleetOptions): Promise<Fleet> {
    const shared = Math.min(options.nodes, options.levelPairs ?? 32);
    const pairs = await FleetPairs.make(options.nodes + shared);
    const nodes = Array.from({ length: options.nodes }, (_, index) => {
      const node = new SimulatedNode({
        name: `fleet-${String(index).padStart(5, '0')}`,
        index,
        identity: pairs.jwk(index),
        level: pairs.pair(options.nodes + (index % shared)),
        landlord: options.landlord,
        address: inFacility(index),
        nextAddress: inFacility(index + 1),
      });
      return node;
    });
    const tls = await makePair(2048);
    const key = tls.private.export({ type: 'pkcs8', format: 'pem' }).toString();
    const fleet = new Fleet(options, nodes, { key, cert: selfSignedPem(tls, 'fleet', []) });
    for (const node of nodes) node.onEvent = (line) => fleet.#eachTalk(node, (talk) => talk.tell(line));
    return fleet;
  }

  /** Others than this machine reach the port too, and are refused: only addresses of the loopback have a node. */
  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host: '0.0.0.0', backlog: 4096 }, resolve);
    });
    this.#timer = setInterval(() => this.#turn(), slice_ms);
    return (this.#server.address() as AddressInfo).port;
  }

  card(node: SimulatedNode): NodeCard {
    const { port } = this.#server.address() as AddressInfo;
    return node.card([{ via: 'direct', url: `wss://${addressOf(node.index)}:${port}`, pin: this.#pin }]);
  }

  get connections(): number {
    let count = 0;
    for (const talks of this.#talks.values()) count += talks.size;
    return count;
  }

  begin(failure: Failure): void {
    for (const node of this.#concerned(failure)) this.fail(node, failure.kind, failure.by_ms);
  }

  end(failure: Failure): void {
    for (const node of this.#concerned(failure)) node.failing.delete(failure.kind);
  }

  fail(node: SimulatedNode, kind: FailureKind, by_ms: number): void {
    node.failing.set(kind, by_ms);
    if (kind !== 'away') return;
    node.restart();
    this.#eachTalk(node, (talk) => talk.hangUp());
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const node of this.nodes) this.#eachTalk(node, (talk) => talk.hangUp());
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #concerned(failure: Failure): SimulatedNode[] {
    return this.nodes.filter(({ index }) => concerns(failure, index, this.nodes.length));
  }

  #eachTalk(node: SimulatedNode, act: (talk: Talk) => void): void {
    for (const talk of this.#talks.get(node) ?? []) act(talk);
  }

  /** One slice of the wheel: heartbeats of its nodes, and connections of those that flap. */
  #turn(): void {
    this.#at += 1;
    const elapsed_ms = this.#at * slice_ms;
    for (const node of this.#wheel[this.#at % this.#wheel.length] ?? []) {
      this.beats += 1;
      this.#eachTalk(node, (talk) => talk.beat());
    }
    for (const node of this.nodes) {
      const every_ms = node.failing.get('flap');
      if (every_ms !== undefined && elapsed_ms % every_ms < slice_ms)
        this.#eachTalk(node, (talk) => talk.hangUp());
    }
  }

  #nodeAt(address: string | undefined): SimulatedNode | undefined {
    const parts = /^(?:::ffff:)?127\.(\d+)\.(\d+)\.(\d+)$/.exec(address ?? '');
    if (!parts) return undefined;
    const [a = 0, b = 0, c = 0] = parts.slice(1).map(Number);
    return this.nodes[((a - 1) << 16) + (b << 8) + c];
  }
}

/** The address that it says it has; nobody is reached there. */
function inFacility(index: number): string {
  return `10.${64 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`;
}

function addressOf(index: number): string {
  return `127.${1 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`;
}
