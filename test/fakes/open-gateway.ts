import { randomBytes } from 'node:crypto';
import { Hub } from '../../console-cluster/gateway/hub.js';
import { listenGateway, type GatewayListening } from '../../console-cluster/gateway/listen.js';
import { toB64u } from '../../crypto/bytes.js';
import { selfSignedPem } from '../../crypto/certificate.js';
import { makePair } from '../../crypto/rsa.js';
import { silentLog } from '../../protocol/log.js';
import { ok } from '../../protocol/result.js';
import { value } from './results.js';

/** A real gateway that lets every node and every console in. */
export class OpenGateway {
  readonly #hub: Hub;
  readonly #listening: GatewayListening;
  /** As nodes and clients are told it: with the pin of its certificate. */
  readonly address: string;

  private constructor(hub: Hub, listening: GatewayListening, pin: string) {
    this.#hub = hub;
    this.#listening = listening;
    this.address = `wss://127.0.0.1:${listening.port}#${pin}`;
  }

  static async listen(): Promise<OpenGateway> {
    const tls = await makePair(2048);
    const pin = tls.public.spkiDigest;
    const hub = new Hub({
      policy: {
        node: () => Promise.resolve(ok(true)),
        console: () => Promise.resolve(ok({ party: 'all' })),
        mayJoin: () => Promise.resolve(ok(true)),
      },
      pin,
      newNonce: () => toB64u(randomBytes(32)),
      now: () => performance.now(),
      wall: () => Date.now(),
      log: silentLog,
    });
    const shown = {
      cert: selfSignedPem(tls, 'gateway', ['127.0.0.1']),
      key: tls.private.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
    return new OpenGateway(
      hub,
      value(await listenGateway(hub, { host: '127.0.0.1', port: 0, tls: shown })),
      pin,
    );
  }

  /** How many nodes have dialled it. */
  get nodes(): number {
    return this.#hub.view().nodes.length;
  }

  async close(): Promise<void> {
    await this.#listening.close();
  }
}
