import { inPrefix, ipv4Number, ipv4Text, isHostWithin, type Mac } from '../../protocol/ethernet/address.js';
import { limits } from '../../protocol/limits.js';
import type { HeldAddress, Machine, Pool } from './model.js';

export interface Place {
  readonly address: string;
  readonly pool: Pool;
  readonly machine: Machine;
}

interface Offer {
  readonly mac: Mac;
  readonly address: string;
  readonly until_ms: number;
}

/** What the filters of nodes may still let through for the sake of a node that had, or has, an address. */
export interface Naming {
  /** Whether another node than this one says that it has the address. */
  readonly isOfAnother: (address: string, node: string) => boolean;
  /** Whether some node may still have filters that name addresses which others have no more. */
  readonly isAnyBehind: () => boolean;
}

const nobodyNames: Naming = { isOfAnother: () => false, isAnyBehind: () => false };

/**
 * Who has which address. Pure: `now` comes in, nothing is written; the server writes before it answers.
 *
 * INVARIANTS:
 * - At no moment do two machines hold, or are offered, one address.
 * - What another machine had goes to nobody else while the filters of any node may name it: its next holder would be let through in its place.
 * - A fixed address goes to its machine alone, also while that machine is away.
 * - A machine gets again what it had, as long as nobody else had to be given it.
 */
export class LeaseBook {
  readonly pools = new Map<string, Pool>();
  readonly machines = new Map<Mac, Machine>();
  readonly #held = new Map<string, HeldAddress>();
  readonly #lastOf = new Map<Mac, string>();
  readonly #offers = new Map<string, Offer>();
  readonly #offerOf = new Map<Mac, Offer>();
  readonly #fixed = new Map<string, Mac>();

  constructor(private readonly naming: Naming = nobodyNames) {}

  setMachine(machine: Machine): void {
    this.removeMachine(machine.mac);
    this.machines.set(machine.mac, machine);
    if (machine.fixed !== undefined) this.#fixed.set(machine.fixed, machine.mac);
  }

  removeMachine(mac: Mac): void {
    const fixed = this.machines.get(mac)?.fixed;
    if (fixed !== undefined && this.#fixed.get(fixed) === mac) this.#fixed.delete(fixed);
    this.machines.delete(mac);
  }

  held(): readonly HeldAddress[] {
    return [...this.#held.values()];
  }

  heldAt(address: string): HeldAddress | undefined {
    return this.#held.get(address);
  }

  /** What another machine has fixed as its own. */
  fixedTo(address: string): Mac | undefined {
    return this.#fixed.get(address);
  }

  hold(held: HeldAddress): void {
    this.#held.set(held.address, held);
    const last = held.mac === undefined ? undefined : this.latestOf(held.mac);
    if (held.mac !== undefined && (last === undefined || last.until_ms <= held.until_ms))
      this.#lastOf.set(held.mac, held.address);
    const offer = this.#offers.get(held.address);
    if (offer !== undefined) this.#forget(offer);
  }

  /** What this machine has, or had last. */
  latestOf(mac: Mac): HeldAddress | undefined {
    const held = this.#held.get(this.#lastOf.get(mac) ?? '');
    return held?.mac === mac ? held : undefined;
  }

  /** Puts back what stood before a write that failed. */
  restore(address: string, before: HeldAddress | undefined): void {
    if (before !== undefined) this.#held.set(address, before);
    else this.#held.delete(address);
  }

  /** The machine that holds the address now. */
  holder(address: string, now_ms: number): Mac | undefined {
    const held = this.#held.get(address);
    return held !== undefined && held.until_ms > now_ms ? held.mac : undefined;
  }

  /** Whether nobody else holds, is offered, owns or is let through by the address. */
  isFreeFor(address: string, mac: Mac, now_ms: number): boolean {
    const held = this.#held.get(address);
    if (held !== undefined && held.until_ms > now_ms && held.mac !== mac) return false;
    const offer = this.#offers.get(address);
    if (offer !== undefined && offer.until_ms > now_ms && offer.mac !== mac) return false;
    if ((this.#fixed.get(address) ?? mac) !== mac) return false;
    return held?.mac === mac || this.#isForgotten(address, mac, held);
  }

  /** Whether no filters let anybody through under this address who is not this machine's node. */
  #isForgotten(address: string, mac: Mac, held: HeldAddress | undefined): boolean {
    const node = this.machines.get(mac)?.node;
    if (node === undefined || this.naming.isOfAnother(address, node)) return false;
    const before = held?.mac === undefined ? undefined : this.machines.get(held.mac)?.node;
    return held === undefined || before === node || !this.naming.isAnyBehind();
  }

  /** Whether this machine may have exactly this address. */
  mayHave(mac: Mac, address: string, now_ms: number): Place | undefined {
    const machine = this.machines.get(mac);
    const pool = machine === undefined ? undefined : this.pools.get(machine.pool);
    if (machine === undefined || pool === undefined) return undefined;
    const right = machine.fixed === undefined ? inRange(pool, address) : machine.fixed === address;
    if (!right || !fits(pool, address) || !this.isFreeFor(address, mac, now_ms)) return undefined;
    return { address, pool, machine };
  }

  /** Finds an address and sets it aside for a little while: what it had, what it wishes, what nobody ever had, what is free. */
  offer(mac: Mac, wish: string | undefined, now_ms: number): Place | undefined {
    const machine = this.machines.get(mac);
    const pool = machine === undefined ? undefined : this.pools.get(machine.pool);
    if (machine === undefined || pool === undefined) return undefined;
    const favourites = [machine.fixed, this.#offerOf.get(mac)?.address, this.#lastOf.get(mac), wish];
    for (const address of favourites) {
      const place = address === undefined ? undefined : this.mayHave(mac, address, now_ms);
      if (place !== undefined) return this.#setAside(place, now_ms);
    }
    if (machine.fixed !== undefined) return undefined;
    const address = this.#search(pool, mac, now_ms);
    return address === undefined ? undefined : this.#setAside({ address, pool, machine }, now_ms);
  }

  #search(pool: Pool, mac: Mac, now_ms: number): string | undefined {
    let used: string | undefined;
    let used_ms = Infinity;
    for (let number = ipv4Number(pool.first); number <= ipv4Number(pool.last); number++) {
      const address = ipv4Text(number);
      if (!this.isFreeFor(address, mac, now_ms)) continue;
      const held = this.#held.get(address);
      if (held === undefined) return address;
      // Of those that somebody had, the one that is longest ago.
      if (held.until_ms < used_ms) [used, used_ms] = [address, held.until_ms];
    }
    return used;
  }

  #setAside(place: Place, now_ms: number): Place {
    const { mac } = place.machine;
    const before = this.#offerOf.get(mac);
    if (before !== undefined) this.#forget(before);
    const offer = { mac, address: place.address, until_ms: now_ms + limits.dhcp_offer_ms };
    this.#offers.set(offer.address, offer);
    this.#offerOf.set(mac, offer);
    return place;
  }

  /** The machine took another server's offer, or gave its own up. */
  withdrawOffer(mac: Mac): void {
    const offer = this.#offerOf.get(mac);
    if (offer !== undefined) this.#forget(offer);
  }

  #forget(offer: Offer): void {
    if (this.#offers.get(offer.address) === offer) this.#offers.delete(offer.address);
    if (this.#offerOf.get(offer.mac) === offer) this.#offerOf.delete(offer.mac);
  }
}

function inRange(pool: Pool, address: string): boolean {
  const number = ipv4Number(address);
  return number >= ipv4Number(pool.first) && number <= ipv4Number(pool.last);
}

/** A fixed address may lie outside the pool's range, but not outside its network. */
function fits(pool: Pool, address: string): boolean {
  return inPrefix(address, pool.network, pool.length) && isHostWithin(address, pool.length);
}
