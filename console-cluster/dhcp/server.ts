import { createSocket, type Socket } from 'node:dgram';
import type { KeyStore, Op } from '../../console/store/port.js';
import { decodeDhcp, serverPort, type DhcpPacket } from '../../protocol/dhcp/index.js';
import type { Mac } from '../../protocol/ethernet/address.js';
import type { Frame } from '../../protocol/ethernet/frame.js';
import { Prober } from '../../protocol/ethernet/prober.js';
import { RawLink } from '../../protocol/ethernet/raw-link.js';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { answer, frameOf } from './answer.js';
import type { LeaseBook, Naming, Place } from './book.js';
import { decide, type Decision } from './decide.js';
import { keys, loadBook, jsonBytes } from './kept.js';
import { parseMachine, parsePool, type HeldAddress, type Machine, type Pool, type Waiting } from './model.js';
import { WaitingList } from './waiting.js';
import { Writer } from './writer.js';

export interface DhcpServerOptions {
  readonly interface: string;
  /** This console's own address on that interface. */
  readonly address: string;
  readonly store: KeyStore;
  readonly log: Log;
  readonly now: () => number;
  /** Absent where no filters name nodes. */
  readonly naming?: Naming;
}

/**
 * Gives addresses to known nodes on one network.
 *
 * INVARIANTS: a grant is kept before it is told; an address is probed before it is offered to a machine that does not hold it; a
 * machine that nobody adopted gets no answer; the book alone decides, in one turn, so that no two questions meet.
 */
export class DhcpServer {
  readonly #writer: Writer;
  readonly #prober: Prober;
  readonly #waiting = new WaitingList();
  readonly #probing = new Set<Mac>();

  private constructor(
    private readonly options: DhcpServerOptions,
    private readonly book: LeaseBook,
    private readonly link: RawLink,
    private readonly port: Socket,
  ) {
    this.#writer = new Writer(options.store);
    this.#prober = new Prober(link.mac, (frame) => void link.send(frame));
  }

  static async open(options: DhcpServerOptions): Promise<Result<DhcpServer>> {
    const book = await loadBook(options.store, options.naming);
    if (!book.ok) return book;
    const port = await holdPort();
    if (!port.ok) return port;
    const made: { server?: DhcpServer } = {};
    const link = await RawLink.open(
      { interface: options.interface },
      {
        frame: (frame) => made.server?.heard(frame),
        carrier: (up) => options.log.info('dhcp.carrier', { up }),
        lost: (why) => options.log.error('dhcp.link-lost', { why }),
      },
    );
    if (!link.ok) {
      port.value.close();
      return link;
    }
    made.server = new DhcpServer(options, book.value, link.value, port.value);
    return ok(made.server);
  }

  async close(): Promise<void> {
    this.port.close();
    await this.link.close();
  }

  /** Machines that asked and are not adopted, the latest first. */
  waiting(): readonly Waiting[] {
    return this.#waiting.all();
  }

  held(): readonly HeldAddress[] {
    return this.book.held();
  }

  pools(): readonly Pool[] {
    return [...this.book.pools.values()];
  }

  machines(): readonly Machine[] {
    return [...this.book.machines.values()];
  }

  async setPool(value: unknown): Promise<Result<Pool>> {
    const pool = parsePool(value, '');
    if (!pool.ok) return pool;
    const written = await this.#put(keys.pool(pool.value.name), pool.value);
    if (!written.ok) return written;
    this.book.pools.set(pool.value.name, pool.value);
    return pool;
  }

  /** Adopts a machine, or changes what it gets. */
  async setMachine(value: unknown): Promise<Result<Machine>> {
    const machine = parseMachine(value, '');
    if (!machine.ok) return machine;
    const { mac, pool, fixed } = machine.value;
    if (!this.book.pools.has(pool)) return refuse('pool-unknown', pool, { where: 'pool' });
    const owner = fixed === undefined ? undefined : this.book.fixedTo(fixed);
    if (owner !== undefined && owner !== mac)
      return refuse('address-taken', `${fixed} is fixed to ${owner}`, { where: 'fixed' });
    const written = await this.#put(keys.machine(mac), machine.value);
    if (!written.ok) return written;
    this.book.setMachine(machine.value);
    this.#waiting.remove(mac);
    return machine;
  }

  /** It gets no address any more; what it holds ends with its time. */
  async removeMachine(mac: Mac): Promise<Result<unknown>> {
    const written = await this.#writer.write({ type: 'delete', key: keys.machine(mac) });
    if (written.ok) this.book.removeMachine(mac);
    return written;
  }

  #put(key: string, value: unknown): Promise<Result<unknown>> {
    const op: Op = { type: 'put', key, value: jsonBytes(value) };
    return this.#writer.write(op);
  }

  private heard(frame: Frame): void {
    if (frame.kind === 'arp') return this.#prober.heard(frame);
    if (frame.destinationPort !== serverPort) return;
    const packet = decodeDhcp(frame.payload);
    if (!packet.ok) return;
    this.#handle(packet.value).catch((error: unknown) =>
      this.options.log.error('dhcp.failed', { why: messageOf(error), mac: packet.value.mac }),
    );
  }

  #decide(packet: DhcpPacket): Decision {
    const { address, now } = this.options;
    return decide(this.book, packet, { address, now_ms: now(), setAside_ms: limits.dhcp_set_aside_ms });
  }

  async #handle(packet: DhcpPacket): Promise<void> {
    // A machine whose address is being probed asks again and again: once is enough.
    if (this.#probing.has(packet.mac) && packet.type === 'discover') return;
    const decision = this.#decide(packet);
    switch (decision.do) {
      case 'nothing':
        this.options.log.debug('dhcp.nothing', { mac: packet.mac, asks: packet.type, why: decision.why });
        return;
      case 'wait':
        this.#waiting.saw(packet, this.options.now());
        return;
      case 'offer':
        return this.#offer(packet, decision.place, decision.probe);
      case 'grant':
        return this.#grant(packet, decision.place, decision.held);
      case 'refuse':
        this.#reply(answer('nak', packet, this.options.address, undefined, decision.why));
        return;
      case 'free':
      case 'setAside':
        this.options.log.info(`dhcp.${decision.do}`, { mac: packet.mac, address: decision.held.address });
        await this.#keep(decision.held);
        return;
      case 'inform':
        this.#reply(answer('ack', packet, this.options.address, decision.place));
    }
  }

  async #offer(packet: DhcpPacket, place: Place, probe: boolean): Promise<void> {
    if (!probe || !(await this.#isTaken(packet.mac, place.address))) {
      this.#reply(answer('offer', packet, this.options.address, place));
      return;
    }
    this.options.log.warn('dhcp.address-in-use', { address: place.address });
    const until_ms = this.options.now() + limits.dhcp_set_aside_ms;
    this.book.withdrawOffer(packet.mac);
    await this.#keep({ address: place.address, until_ms });
    // With another address now; the client asks again if there is none.
    await this.#handle(packet);
  }

  async #isTaken(mac: Mac, address: string): Promise<boolean> {
    this.#probing.add(mac);
    try {
      return await this.#prober.probe(address, mac);
    } finally {
      this.#probing.delete(mac);
    }
  }

  async #grant(packet: DhcpPacket, place: Place, held: HeldAddress): Promise<void> {
    const before = this.book.latestOf(packet.mac);
    if (!(await this.#keep(held))) return;
    this.#reply(answer('ack', packet, this.options.address, place));
    // A machine that moved has given up what it had.
    const now_ms = this.options.now();
    if (before !== undefined && before.address !== held.address && before.until_ms > now_ms)
      await this.#keep({ ...before, until_ms: now_ms });
    this.options.log.info('dhcp.granted', {
      mac: packet.mac,
      address: held.address,
      node: place.machine.node,
    });
  }

  /** In the book at once, so that nobody else gets it meanwhile; taken back if it cannot be written. */
  async #keep(held: HeldAddress): Promise<boolean> {
    const before = this.book.heldAt(held.address);
    this.book.hold(held);
    const written = await this.#put(keys.held(held.address), held);
    if (written.ok) return true;
    if (this.book.heldAt(held.address) === held) this.book.restore(held.address, before);
    this.options.log.error('dhcp.not-written', { address: held.address, why: written.refusal.code });
    return false;
  }

  #reply(reply: DhcpPacket): void {
    this.link.send(frameOf(reply, { mac: this.link.mac, address: this.options.address }));
  }
}

/** Questions are heard on the raw link; without a socket the kernel would answer them that nobody listens. */
function holdPort(): Promise<Result<Socket>> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.once('error', (error) => resolve(refuse('dhcp-port-taken', error.message)));
    socket.bind(serverPort, () => {
      socket.removeAllListeners('error').on('error', () => {});
      resolve(ok(socket));
    });
  });
}
