import { randomBytes } from 'node:crypto';
import { Hub } from '../../console-cluster/gateway/hub.js';
import { listenGateway, type GatewayListening } from '../../console-cluster/gateway/listen.js';
import { Ways } from '../../console/nodes/gateways.js';
import { makePair, thumbprint } from '../../crypto/rsa.js';
import { silentLog } from '../../protocol/log.js';
import { ok } from '../../protocol/result.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import type { NodeProcess } from './node-process.js';
import { RawChannel, RawSocket, type RawTalk } from './raw-socket.js';

/** How messages come to a node: what it refuses, and with which code, is the same on each way. */
export interface RefusalWay {
  readonly name: string;
  /** Before the node is made: what its `bmonitor init` is told of the way. */
  prepare(): Promise<readonly string[]>;
  /** After each start of the node: resolves when it can be reached. */
  reach(node: NodeProcess): Promise<void>;
  /** A source that sent nothing wrong yet, as far as the node can tell. */
  newSource(): Promise<string>;
  /** From that source, or from any that can still say something wrong. */
  open(source?: string): Promise<RawTalk>;
  end(): Promise<void>;
}

export class Straight implements RefusalWay {
  readonly name = 'over a connection of its own';
  #node: NodeProcess | undefined;

  async prepare(): Promise<readonly string[]> {
    return [];
  }

  async reach(node: NodeProcess): Promise<void> {
    this.#node = node;
  }

  async newSource(): Promise<string> {
    return RawSocket.newAddress();
  }

  async open(source?: string): Promise<RawTalk> {
    if (!this.#node) throw new Error('the node has not started');
    return RawSocket.open(this.#node, source);
  }

  async end(): Promise<void> {}
}

/** The node dialled the gateway. A source is a console that the gateway names; each may say some wrong things, so several take turns. */
export class ThroughGateway implements RefusalWay {
  readonly name = 'through a gateway that it dialled';
  readonly #sources = new Map<string, Ways>();
  readonly #turns: string[] = [];
  #hub: Hub | undefined;
  #listening: GatewayListening | undefined;
  #node = '';

  async prepare(): Promise<readonly string[]> {
    this.#hub = new Hub({
      policy: {
        node: async () => ok(true),
        console: async ({ id }) => ok({ party: id }),
        mayJoin: async () => ok(true),
      },
      newNonce: () => randomBytes(32).toString('base64url'),
      now: () => performance.now(),
      wall: () => Date.now(),
      log: silentLog,
    });
    this.#listening = value(await listenGateway(this.#hub, { host: '127.0.0.1', port: 0 }));
    for (let at = 0; at < 4; at += 1) this.#turns.push(await this.newSource());
    return ['--gateway', this.#url];
  }

  async reach(node: NodeProcess): Promise<void> {
    this.#node = thumbprint(node.card.identity);
    await until(() => this.#hub?.view().nodes.length === 1);
  }

  async newSource(): Promise<string> {
    const pair = await makePair(2048);
    this.#sources.set(pair.public.id, new Ways(pair));
    return pair.public.id;
  }

  async open(source?: string): Promise<RawTalk> {
    const [next = ''] = this.#turns;
    if (source === undefined) this.#turns.push(...this.#turns.splice(0, 1));
    const ways = this.#sources.get(source ?? next);
    if (!ways) throw new Error('no such source');
    return new RawChannel(value(await ways.connect({ via: 'gateway', url: this.#url }, this.#node)));
  }

  async end(): Promise<void> {
    for (const ways of this.#sources.values()) await ways.close();
    await this.#listening?.close();
  }

  get #url(): string {
    return `ws://127.0.0.1:${this.#listening?.port ?? 0}`;
  }
}
