import type { Pair } from '../../crypto/rsa.js';
import { signerOf } from '../../crypto/signer.js';
import type { MessageChannel } from '../../protocol/channel.js';
import { dialGateway, type GatewayConnection } from '../../protocol/gateway/dial.js';
import { limits } from '../../protocol/limits.js';
import type { Way } from '../../protocol/node-card.js';
import { ok, type Result } from '../../protocol/result.js';
import { dial, socketChannel } from '../../protocol/socket.js';

/**
 * The ways of a console to its nodes. All channels through one gateway share one connection to it.
 *
 * INVARIANT: at most one connection to each gateway is open or being opened.
 */
export class Ways {
  readonly #pair: Pair;
  readonly #gateways = new Map<string, Promise<Result<GatewayConnection>>>();

  constructor(pair: Pair) {
    this.#pair = pair;
  }

  readonly connect = async (way: Way, node: string): Promise<Result<MessageChannel>> => {
    if (way.via === 'gateway') {
      const gateway = await this.#gateway(way);
      return gateway.ok ? gateway.value.open(node) : gateway;
    }
    const pin = way.pin === undefined ? {} : { pin: way.pin };
    const socket = await dial({ url: way.url, timeout_ms: limits.dial_ms_max, ...pin });
    return socket.ok ? ok(socketChannel(socket.value, way.url)) : socket;
  };

  async close(): Promise<void> {
    for (const dialled of this.#gateways.values()) {
      const gateway = await dialled;
      if (gateway.ok) gateway.value.close('the console stops');
    }
  }

  async #gateway(way: Way): Promise<Result<GatewayConnection>> {
    const name = `${way.url} ${way.pin ?? ''}`;
    const present = this.#gateways.get(name);
    if (present) return present;
    const pin = way.pin === undefined ? {} : { pin: way.pin };
    const dialled = dialGateway({ url: way.url, ...pin, role: 'console', signer: signerOf(this.#pair) });
    this.#gateways.set(name, dialled);
    const forget = (): void => {
      if (this.#gateways.get(name) === dialled) this.#gateways.delete(name);
    };
    const gateway = await dialled;
    if (gateway.ok) gateway.value.onClose(forget);
    else forget();
    return gateway;
  }
}
