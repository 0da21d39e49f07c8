import { step } from '../../../../bmonitor/addresses/client.js';
import {
  newClient,
  wakeAt,
  type Client,
  type Effect,
  type Facts,
  type Input,
} from '../../../../bmonitor/addresses/state.js';
import { noAddress, type DhcpOptions, type DhcpPacket } from '../../../../protocol/dhcp/index.js';

export const server = '10.0.0.1';
export const address = '10.0.0.7';

/** A client with a clock and chance of its own: time passes only when the test says so. */
export class World {
  now_ms = 1_000;
  client: Client = newClient;
  effects: readonly Effect[] = [];
  #seed = 1;

  readonly facts: Facts = Object.defineProperty(
    { mac: '02:00:00:00:00:07', hostname: 'node-7', random: () => this.#random(), now_ms: 0 },
    'now_ms',
    { get: () => this.now_ms },
  );

  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }

  give(input: Input): readonly Effect[] {
    const { client, effects } = step(this.client, input, this.facts);
    this.client = client;
    this.effects = effects;
    return effects;
  }

  /** Sleeps until the client wants to be woken, and wakes it. */
  sleep(): readonly Effect[] {
    const at = wakeAt(this.client);
    if (at === undefined) throw new Error(`nothing wakes ${this.is}`);
    this.now_ms = Math.max(this.now_ms, at);
    return this.give({ kind: 'wake' });
  }

  get is(): string {
    return this.client.state.is;
  }

  get xid(): number {
    const { state } = this.client;
    return 'xid' in state ? state.xid : -1;
  }

  /** The packets that the last input made it send. */
  get sent(): readonly DhcpPacket[] {
    return this.effects.flatMap((effect) => (effect.kind === 'send' ? [effect.packet] : []));
  }

  /** What the last input did, in its order, in short. */
  get did(): readonly string[] {
    return this.effects.map((effect) => {
      switch (effect.kind) {
        case 'send':
          return `${effect.packet.type} to ${effect.to}`;
        case 'probe':
        case 'announce':
          return `${effect.kind} ${effect.address}`;
        case 'apply':
        case 'remove':
          return `${effect.kind} ${effect.lease.address}`;
        case 'changed':
          return `changed ${effect.old ?? 'none'} to ${effect.new ?? 'none'}`;
      }
    });
  }

  says(type: DhcpPacket['type'], more: Partial<DhcpPacket> & { options?: DhcpOptions } = {}): DhcpPacket {
    return {
      type,
      xid: this.xid,
      secs: 0,
      broadcast: false,
      ciaddr: noAddress,
      yiaddr: type === 'nak' ? noAddress : address,
      siaddr: server,
      giaddr: noAddress,
      mac: this.facts.mac,
      ...more,
      options: {
        server,
        ...(type === 'nak' ? {} : { subnetMask: '255.255.255.0', routers: [server], lease_s: 1000 }),
        ...more.options,
      },
    };
  }

  hears(type: DhcpPacket['type'], more: Partial<DhcpPacket> & { options?: DhcpOptions } = {}): void {
    this.give({ kind: 'packet', packet: this.says(type, more) });
  }

  bind(): this {
    this.give({ kind: 'start' });
    this.hears('offer');
    this.hears('ack');
    this.give({ kind: 'probed', address, taken: false });
    if (this.is !== 'bound') throw new Error(`is ${this.is}`);
    return this;
  }
}
