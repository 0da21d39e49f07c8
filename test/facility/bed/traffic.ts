import { until } from './until.js';
import type { Probe, ProbeEvent, ProbeReply } from './probe.js';

/**
 * What came of an attempt, as the one who tried sees it: an answer; a refusal by the other side's kernel (a reset, or
 * "port unreachable"); an error from somewhere on the way; or nothing within its patience.
 */
export type Outcome = 'answered' | 'refused' | 'unreachable' | 'silent';
export type Family = 4 | 6;

export interface Attempt {
  readonly to: string;
  readonly port: number;
  readonly from?: string;
  readonly fromPort?: number;
  /** How long silence must last to be called silence. Attempts that are made together wait together. */
  readonly patience_ms?: number;
}

/** Silence cannot be proved, only waited for: within one kernel, packets need microseconds. */
const patience_ms = 400;

export interface Arrival {
  readonly from: string;
  readonly port: number;
  readonly data: Buffer;
  /** Wall clock, seconds. */
  readonly time: number;
}

export interface Frame {
  readonly data: Buffer;
  readonly time: number;
  readonly outgoing: boolean;
}

function bytesOf(event: ProbeReply): Buffer {
  const data = event['data'];
  return Buffer.from(typeof data === 'string' ? data : '', 'base64');
}

function encoded(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64');
}

function attemptOf(attempt: Attempt): ProbeReply {
  const { to, port, from, fromPort } = attempt;
  return { to, port, from, fromPort, patience: (attempt.patience_ms ?? patience_ms) / 1000 };
}

/** Something that stays open until it is closed or the bed is removed. */
export class Open {
  constructor(
    protected readonly probe: Probe,
    readonly handle: number,
  ) {
    probe.on(handle, (event) => this.take(event));
  }

  protected take(_event: ProbeEvent): void {}

  async close(): Promise<void> {
    await this.probe.close(this.handle);
  }
}

export class Listener extends Open {
  readonly arrivals: Arrival[] = [];

  constructor(
    probe: Probe,
    handle: number,
    readonly port: number,
  ) {
    super(probe, handle);
  }

  protected override take(event: ProbeEvent): void {
    if (event.event !== 'packet') return;
    const { from, port, time } = event;
    this.arrivals.push({ from: String(from), port: Number(port), time: Number(time), data: bytesOf(event) });
  }

  /** Waits for a packet that has this text in it, or for any. */
  async arrival(text = '', bound_ms?: number): Promise<Arrival> {
    return until(() => this.arrivals.find((arrival) => arrival.data.includes(text)), {
      what: `a packet with "${text}" on port ${this.port}`,
      ...(bound_ms === undefined ? {} : { bound_ms }),
    });
  }

  /** How many came, of a listener that was opened with `tally`. */
  async tally(): Promise<number> {
    return Number((await this.probe.ask({ do: 'tally', handle: this.handle }))['received']);
  }

  /** Sends from the listener's own port. */
  async send(to: string, port: number, data: string | Uint8Array = 'probe'): Promise<void> {
    await this.probe.ask({ do: 'udp-send', handle: this.handle, to, port, data: encoded(data) });
  }
}

export class TcpListener extends Open {
  readonly connections: TcpConnection[] = [];

  constructor(
    probe: Probe,
    handle: number,
    readonly port: number,
  ) {
    super(probe, handle);
  }

  protected override take(event: ProbeEvent): void {
    if (event.event !== 'connection') return;
    this.connections.push(
      new TcpConnection(
        this.probe,
        Number(event['connection']),
        Number(event['port']),
        String(event['from']),
      ),
    );
  }

  async connection(bound_ms?: number): Promise<TcpConnection> {
    return until(() => this.connections.at(-1), {
      what: `a connection to port ${this.port}`,
      ...(bound_ms === undefined ? {} : { bound_ms }),
    });
  }
}

export class TcpConnection extends Open {
  received: Buffer = Buffer.alloc(0);
  closed: string | undefined;

  constructor(
    probe: Probe,
    handle: number,
    /** The port of the side that connected. */
    readonly port: number,
    readonly peer: string,
  ) {
    super(probe, handle);
  }

  protected override take(event: ProbeEvent): void {
    if (event.event === 'data') this.received = Buffer.concat([this.received, bytesOf(event)]);
    if (event.event === 'closed') this.closed = String(event['reason']);
  }

  async send(data: string | Uint8Array): Promise<void> {
    await this.probe.ask({ do: 'tcp-send', handle: this.handle, data: encoded(data) });
  }

  async receives(text: string, bound_ms?: number): Promise<void> {
    await until(() => this.received.includes(text), {
      what: () => `"${text}" on the connection; it holds "${this.received.toString('latin1').slice(-200)}"`,
      ...(bound_ms === undefined ? {} : { bound_ms }),
    });
  }

  /** Ends it with a reset instead of the usual goodbye. */
  async abort(): Promise<void> {
    await this.probe.close(this.handle, true);
  }
}

export class Tap extends Open {
  readonly frames: Frame[] = [];

  protected override take(event: ProbeEvent): void {
    if (event.event !== 'frame') return;
    const { time, outgoing } = event;
    this.frames.push({ data: bytesOf(event), time: Number(time), outgoing: outgoing === true });
  }

  async frame(matches: (frame: Frame) => boolean, bound_ms?: number): Promise<Frame> {
    return until(() => this.frames.find(matches), {
      what: `a frame among ${this.frames.length}`,
      ...(bound_ms === undefined ? {} : { bound_ms }),
    });
  }
}

/** Packets sent and received at one place. Refusals by filters are outcomes; only a broken bed throws. */
export class Traffic {
  constructor(
    protected readonly probe: Probe,
    private readonly at: string,
    private readonly networkInterface: string,
  ) {}

  /** With `answer`, every datagram is sent back to who sent it. */
  async listenUdp(options: ListenOptions = {}): Promise<Listener> {
    const { handle, port } = await this.probe.ask({ do: 'udp-listen', at: this.at, ...options });
    return new Listener(this.probe, Number(handle), Number(port));
  }

  async listenTcp(options: ListenOptions = {}): Promise<TcpListener> {
    const { handle, port } = await this.probe.ask({ do: 'tcp-listen', at: this.at, ...options });
    return new TcpListener(this.probe, Number(handle), Number(port));
  }

  /** One datagram that waits for one answer: the other side must listen with `answer`. */
  async tryUdp(attempt: Attempt, data: string | Uint8Array = 'probe'): Promise<Outcome> {
    const reply = await this.probe.ask({
      do: 'udp-try',
      at: this.at,
      ...attemptOf(attempt),
      data: encoded(data),
    });
    return reply['outcome'] as Outcome;
  }

  /** Connects and closes at once. */
  async tryTcp(attempt: Attempt): Promise<Outcome> {
    const reply = await this.probe.ask({ do: 'tcp-open', at: this.at, ...attemptOf(attempt) });
    if (typeof reply['handle'] === 'number') await this.probe.close(reply['handle'], true);
    return reply['outcome'] as Outcome;
  }

  /** Connects and keeps the connection. */
  async openTcp(attempt: Attempt): Promise<TcpConnection> {
    const reply = await this.probe.ask({ do: 'tcp-open', at: this.at, ...attemptOf(attempt) });
    if (typeof reply['handle'] !== 'number')
      throw new Error(`no connection to ${attempt.to} port ${attempt.port}: ${String(reply['outcome'])}`);
    return new TcpConnection(this.probe, reply['handle'], Number(reply['port']), attempt.to);
  }

  async ping(
    to: string,
    options: { from?: string; patience_ms?: number; size?: number } = {},
  ): Promise<Outcome> {
    const { from, size } = options;
    const patience = (options.patience_ms ?? patience_ms) / 1000;
    const reply = await this.probe.ask({ do: 'ping', at: this.at, to, from, patience, size: size ?? 16 });
    return reply['outcome'] as Outcome;
  }

  /** Sends datagrams and waits for nothing. Says how many the local kernel let go. */
  async sendUdp(attempt: Attempt, data: string | Uint8Array = 'probe', count = 1): Promise<number> {
    const request = { do: 'udp-send', at: this.at, ...attemptOf(attempt), data: encoded(data), count };
    return Number((await this.probe.ask(request))['sent']);
  }

  /** Packets of any IP protocol, as the kernel delivers them after its filters. */
  async listenIp(protocol: number, family: Family = 4): Promise<Listener> {
    const { handle } = await this.probe.ask({ do: 'ip-listen', at: this.at, protocol, family });
    return new Listener(this.probe, Number(handle), 0);
  }

  /** A packet of any IP protocol; the kernel makes the IP header. */
  async sendIp(protocol: number, to: string, data: string | Uint8Array, from?: string): Promise<void> {
    await this.probe.ask({ do: 'ip-send', at: this.at, protocol, to, from, data: encoded(data) });
  }

  /** Every frame that reaches the interface, before any filter of this place; with `outgoing`, also what leaves. */
  async tap(options: { interface?: string; outgoing?: boolean } = {}): Promise<Tap> {
    const request = { do: 'tap', at: this.at, interface: this.networkInterface, ...options };
    return new Tap(this.probe, Number((await this.probe.ask(request))['handle']));
  }

  /** Whole frames, Ethernet header included, as they are. */
  async sendFrames(frames: readonly Uint8Array[], networkInterface = this.networkInterface): Promise<void> {
    const list = frames.map((frame) => encoded(frame));
    await this.probe.ask({ do: 'send-frames', at: this.at, interface: networkInterface, frames: list });
  }
}

export interface ListenOptions {
  readonly port?: number;
  readonly address?: string;
  readonly family?: Family;
  readonly answer?: boolean;
  /** Only counts what comes, which keeps up with a flood. */
  readonly tally?: boolean;
}
