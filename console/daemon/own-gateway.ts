import { certificatePin } from '../../protocol/pin.js';
import type { Way } from '../../protocol/node-card.js';
import type { ConsoleConfig } from './config.js';

/** A console that runs a gateway reaches through it the nodes that only dial out. */
export function ownGateway(config: ConsoleConfig, certificate: string): readonly Way[] {
  if (config.gateway === undefined || config.gateway.port === 0) return [];
  const { host, port } = config.gateway;
  const at = host.includes(':') ? `[${host}]` : host;
  return [{ via: 'gateway', url: `wss://${at}:${port}`, pin: certificatePin(certificate) }];
}
