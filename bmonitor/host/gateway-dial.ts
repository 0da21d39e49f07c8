import { randomInt } from 'node:crypto';
import type { Signer } from '../../crypto/signer.js';
import { backOff } from '../../protocol/back-off.js';
import type { MessageChannel } from '../../protocol/channel.js';
import { dialGateway, type GatewayConnection } from '../../protocol/gateway/dial.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import type { Way } from '../../protocol/node-card.js';

export interface GatewayDialOptions {
  readonly gateways: readonly Way[];
  /** The identity key N, which the node proves to the gateway. */
  readonly identity: Signer;
  readonly serve: (channel: MessageChannel) => void;
  readonly log: Log;
}

/** Keeps a connection to each gateway: dials out, proves N, and serves what consoles open through it. */
export function dialGateways(options: GatewayDialOptions): () => void {
  const stops = options.gateways.map((way) => keep(way, options));
  return () => {
    for (const stop of stops) stop();
  };
}

function keep(way: Way, { identity, serve, log }: GatewayDialOptions): () => void {
  let stopped = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let connection: GatewayConnection | undefined;

  const again = (why: string): void => {
    if (stopped) return;
    const chance = randomInt(2 ** 32) / 2 ** 32;
    const wait_ms = backOff(failures, chance, {
      first_ms: limits.dial_first_ms,
      most_ms: limits.dial_again_ms_max,
    });
    failures += 1;
    log.info('gateway.away', { url: way.url, why, again_ms: wait_ms });
    timer = setTimeout(() => void attempt(), wait_ms);
  };
  const attempt = async (): Promise<void> => {
    const pin = way.pin === undefined ? {} : { pin: way.pin };
    const dialled = await dialGateway({
      url: way.url,
      ...pin,
      role: 'node',
      signer: identity,
      onChannel: serve,
    });
    if (!dialled.ok) return again(dialled.refusal.code);
    if (stopped) return dialled.value.close('the node stops');
    connection = dialled.value;
    failures = 0;
    log.info('gateway.joined', { url: way.url });
    connection.onClose(again);
  };
  void attempt();
  return () => {
    stopped = true;
    clearTimeout(timer);
    connection?.close('the node stops');
  };
}
