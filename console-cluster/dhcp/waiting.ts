import type { DhcpPacket } from '../../protocol/dhcp/index.js';
import type { Mac } from '../../protocol/ethernet/address.js';
import { limits } from '../../protocol/limits.js';
import type { Waiting } from './model.js';

/** Machines that asked and that nobody adopted. In memory only and bounded: who is not adopted must not fill the disk. */
export class WaitingList {
  readonly #machines = new Map<Mac, Waiting>();

  saw(packet: DhcpPacket, now_ms: number): void {
    const before = this.#machines.get(packet.mac);
    const { hostname, vendorClass } = packet.options;
    // Put in again at the end: the map's order is the order of the last question.
    this.#machines.delete(packet.mac);
    this.#machines.set(packet.mac, {
      mac: packet.mac,
      first_ms: before?.first_ms ?? now_ms,
      last_ms: now_ms,
      asked: (before?.asked ?? 0) + 1,
      ...(hostname === undefined ? {} : { hostname }),
      ...(vendorClass === undefined ? {} : { vendorClass }),
    });
    const [oldest] = this.#machines.keys();
    if (this.#machines.size > limits.dhcp_waiting_max && oldest !== undefined) this.#machines.delete(oldest);
  }

  remove(mac: Mac): void {
    this.#machines.delete(mac);
  }

  all(): readonly Waiting[] {
    return [...this.#machines.values()].toReversed();
  }
}
