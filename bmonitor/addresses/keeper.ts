import type { DhcpPacket } from '../../protocol/dhcp/index.js';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import type { Result } from '../../protocol/result.js';
import type { AddressLink, AddressLinkEvents, AddressMemory } from '../ports/address-link.js';
import type { Clock } from '../ports/clock.js';
import { step } from './client.js';
import { assignmentOf, type Lease } from './lease.js';
import { newClient, wakeAt, type Client, type Effect, type Facts, type Input, type State } from './state.js';

export interface AddressChange {
  readonly old?: string;
  readonly new?: string;
  /** Who gave the new one, and will be asked to renew it. */
  readonly server?: string;
}

export interface KeeperOptions {
  /** Opens the interface. Called again when it was lost. */
  open(events: AddressLinkEvents): Promise<Result<AddressLink>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly hostname: string;
  readonly memory: AddressMemory;
  /** Awaited before a new address is on the interface, after an old one is gone: filters follow here. */
  changed(change: AddressChange): Promise<void>;
  readonly log: Log;
}

/**
 * Keeps the node's address by DHCP: runs the pure client, and does what it says on the link.
 *
 * INVARIANTS: inputs are taken one after the other, and the effects of one are done before the next is taken, so that the
 * interface never holds what the client has given up; nothing that comes from the network can make it stop.
 */
export class AddressKeeper {
  #client: Client = newClient;
  #link: AddressLink | undefined;
  #queue: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;
  #server: string | undefined;

  constructor(private readonly options: KeeperOptions) {}

  get state(): State['is'] {
    return this.#client.state.is;
  }

  get lease(): Lease | undefined {
    return this.#client.applied;
  }

  async start(): Promise<Result<void>> {
    const opened = await this.#open();
    if (!opened.ok) return opened;
    const previous = await this.options.memory.read();
    void this.#take(previous === undefined ? { kind: 'start' } : { kind: 'start', previous });
    return opened;
  }

  /** Gives the address back to its server, and asks for none until `start`. */
  release(): Promise<void> {
    return this.#take({ kind: 'release' });
  }

  /** Stops looking after the address, and leaves it as it is: the kernel ends it when its lease does. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    await this.#queue;
    await this.#link?.close();
  }

  async #open(): Promise<Result<void>> {
    const link = await this.options.open({
      packet: (packet) => this.#heard(packet),
      conflict: (address) => void this.#take({ kind: 'conflict', address }),
      carrier: (up) => void this.#take({ kind: 'carrier', up }),
      lost: (why) => this.#lost(why),
    });
    if (!link.ok) return link;
    this.#link = link.value;
    return { ok: true, value: undefined };
  }

  /** Most of what is heard is for other machines: it costs no turn in the queue. */
  #heard(packet: DhcpPacket): void {
    const { state } = this.#client;
    if ('xid' in state && packet.xid === state.xid) void this.#take({ kind: 'packet', packet });
  }

  #lost(why: string): void {
    this.options.log.error('address.link-lost', { why });
    this.#link = undefined;
    this.#reopen();
  }

  #reopen(): void {
    if (this.#closed) return;
    this.#again = setTimeout(() => {
      void this.#open().then((opened) => {
        if (opened.ok) void this.#take({ kind: 'carrier', up: true });
        else this.#reopen();
      });
    }, limits.retry_effects_ms);
  }

  #take(input: Input): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#turn(input))
      .catch((error: unknown) => {
        this.options.log.error('address.failed', { why: messageOf(error) });
      });
    return this.#queue;
  }

  async #turn(input: Input): Promise<void> {
    if (this.#closed) return;
    const before = this.#client.state.is;
    const { client, effects } = step(this.#client, input, this.#facts());
    this.#client = client;
    if (client.state.is !== before)
      this.options.log.info('address.state', {
        state: client.state.is,
        before,
        address: client.applied?.address,
      });
    for (const effect of effects) await this.#do(effect);
    this.#setAlarm();
  }

  #facts(): Facts {
    const { clock, random, hostname } = this.options;
    return { now_ms: clock.sinceBoot(), random, hostname, mac: this.#link?.mac ?? '00:00:00:00:00:00' };
  }

  async #do(effect: Effect): Promise<void> {
    const link = this.#link;
    switch (effect.kind) {
      case 'send':
        if (effect.to === 'everyone') link?.broadcast(effect.packet);
        else await link?.sendTo(effect.server, effect.packet.ciaddr, effect.packet);
        return;
      case 'probe':
        void this.#probe(effect.address);
        return;
      case 'announce':
        link?.announce(effect.address);
        return;
      case 'apply':
        // Another server took the lease over: it must be spoken to from now on.
        if (effect.lease.server !== this.#server)
          await this.#tell(effect.lease.address, effect.lease.address);
        return this.#apply(effect.lease);
      case 'remove': {
        const removed = await link?.remove(effect.lease.address, effect.lease.length);
        if (removed?.ok === false)
          this.options.log.error('address.remove-failed', { why: removed.refusal.detail });
        return;
      }
      case 'changed':
        this.options.log.info('address.changed', { old: effect.old, new: effect.new });
        await this.options.memory.write(effect.new);
        return this.#tell(effect.old, effect.new);
    }
  }

  #tell(old: string | undefined, now: string | undefined): Promise<void> {
    this.#server = now === undefined ? undefined : this.#client.applied?.server;
    return this.options.changed({
      ...(old === undefined ? {} : { old }),
      ...(now === undefined ? {} : { new: now }),
      ...(this.#server === undefined ? {} : { server: this.#server }),
    });
  }

  async #probe(address: string): Promise<void> {
    const taken = (await this.#link?.probe(address)) ?? false;
    await this.#take({ kind: 'probed', address, taken });
  }

  /** Tried again until the machine takes it, or the client has another. */
  async #apply(lease: Lease): Promise<void> {
    const applied = await this.#link?.apply(assignmentOf(lease, this.options.clock.sinceBoot()));
    if (applied?.ok === true) {
      this.options.log.info('address.applied', {
        address: lease.address,
        length: lease.length,
        server: lease.server,
      });
      return;
    }
    this.options.log.error('address.apply-failed', { why: applied?.refusal.detail ?? 'the link is gone' });
    if (this.#closed) return;
    this.#again = setTimeout(() => {
      this.#queue = this.#queue.then(() =>
        this.#client.applied === lease && !this.#closed ? this.#apply(lease) : undefined,
      );
    }, limits.retry_effects_ms);
  }

  #setAlarm(): void {
    clearTimeout(this.#timer);
    const at = wakeAt(this.#client);
    if (at === undefined || this.#closed) return;
    // Node's timers stop while the machine is suspended, and take no more than 24 days: look again at least each minute.
    const wait = Math.min(60_000, Math.max(0, Math.ceil(at - this.options.clock.sinceBoot())));
    this.#timer = setTimeout(() => void this.#take({ kind: 'wake' }), wait);
  }
}
