import { randomInt } from 'node:crypto';
import {
  decodeDhcp,
  encodeDhcp,
  everyAddress,
  noAddress,
  type DhcpOptions,
  type DhcpPacket,
} from '../../../protocol/dhcp/index.js';
import { macBroadcast } from '../../../protocol/ethernet/address.js';
import { RawLink } from '../../../protocol/ethernet/raw-link.js';
import type { Frame } from '../../../protocol/ethernet/frame.js';
import type { Place } from '../bed/index.js';

interface Simulated {
  readonly mac: string;
  readonly xid: number;
  wants?: DhcpPacket;
  has?: string;
}

export function simulatedMac(number: number): string {
  return `02:aa:00:00:${[number >> 8, number & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}

/** Many machines on one cable, each asking for an address and asking again until it has one. */
export class Storm {
  readonly #clients = new Map<string, Simulated>();
  #link: RawLink | undefined;
  /** Every acknowledgement that was heard: the machine and the address. */
  readonly acknowledged: { mac: string; address: string }[] = [];

  constructor(
    private readonly place: Place,
    count: number,
  ) {
    for (let number = 0; number < count; number++) {
      const mac = simulatedMac(number);
      this.#clients.set(mac, { mac, xid: randomInt(2 ** 32) });
    }
  }

  async run(bound_ms = 60_000): Promise<void> {
    const prefix = ['nsenter', `--net=/run/netns/${this.place.namespace}`];
    const opened = await RawLink.open(
      { interface: this.place.nic, prefix },
      { frame: (frame) => this.#heard(frame), carrier: () => {}, lost: () => {} },
    );
    if (!opened.ok) throw new Error(opened.refusal.detail);
    this.#link = opened.value;
    const end = performance.now() + bound_ms;
    while (this.#without().length > 0 && performance.now() < end) {
      for (const client of this.#without()) this.#ask(client);
      const before = this.acknowledged.length;
      // Asked again when nothing comes any more, as machines do.
      for (let quiet = 0, seen = before; quiet < 20 && this.#without().length > 0; quiet++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (this.acknowledged.length > seen) [quiet, seen] = [0, this.acknowledged.length];
      }
    }
    await this.#link.close();
    const without = this.#without().length;
    if (without > 0) throw new Error(`${without} machines have no address after ${bound_ms} ms`);
  }

  get addresses(): ReadonlyMap<string, string> {
    return new Map([...this.#clients.values()].map(({ mac, has = '' }) => [mac, has]));
  }

  #without(): readonly Simulated[] {
    return [...this.#clients.values()].filter(({ has }) => has === undefined);
  }

  #ask({ mac, xid, wants }: Simulated): void {
    if (wants === undefined) return this.#send('discover', mac, xid, {});
    const { server } = wants.options;
    this.#send('request', mac, xid, {
      requested: wants.yiaddr,
      ...(server === undefined ? {} : { server }),
    });
  }

  #send(type: DhcpPacket['type'], mac: string, xid: number, options: DhcpOptions): void {
    const none = { ciaddr: noAddress, yiaddr: noAddress, siaddr: noAddress, giaddr: noAddress };
    const payload = encodeDhcp({ type, xid, secs: 0, broadcast: true, ...none, mac, options });
    this.#link?.send({
      kind: 'udp',
      from: mac,
      to: macBroadcast,
      source: noAddress,
      destination: everyAddress,
      sourcePort: 68,
      destinationPort: 67,
      payload,
    });
  }

  #heard(frame: Frame): void {
    if (frame.kind !== 'udp' || frame.destinationPort !== 68) return;
    const packet = decodeDhcp(frame.payload);
    const client = packet.ok ? this.#clients.get(packet.value.mac) : undefined;
    if (!packet.ok || client === undefined || packet.value.xid !== client.xid) return;
    const { type, yiaddr } = packet.value;
    if (type === 'ack') {
      this.acknowledged.push({ mac: client.mac, address: yiaddr });
      client.has = yiaddr;
    } else if (type === 'offer' && client.wants === undefined) {
      client.wants = packet.value;
      this.#ask(client);
    }
  }
}
