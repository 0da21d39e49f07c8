import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { selfSignedPem } from '../../crypto/certificate.js';
import { makePair } from '../../crypto/rsa.js';
import { commitmentOf, codesOf, freshNonce, type PairingCodes } from '../../protocol/pairing/codes.js';
import type { Hello } from '../../protocol/pairing/messages.js';
import { PairingTalk } from '../../protocol/pairing/talk.js';
import { dial, socketChannel } from '../../protocol/socket.js';
import { value } from './results.js';

/** Stands between a machine and a console, with keys of its own towards either, and follows the protocol to the letter. */
export class ManBetween {
  /** What each of the two is shown. */
  towardsMachine: PairingCodes | undefined;
  towardsConsole: PairingCodes | undefined;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;

  private constructor(server: Server, sockets: WebSocketServer) {
    this.#server = server;
    this.#sockets = sockets;
  }

  static async between(console: string): Promise<ManBetween> {
    const pair = await makePair(2048);
    const server = createServer({
      key: pair.private.export({ type: 'pkcs8', format: 'pem' }),
      cert: selfSignedPem(pair, 'test', ['127.0.0.1']),
    });
    const sockets = new WebSocketServer({ server });
    const man = new ManBetween(server, sockets);
    sockets.on('connection', (socket) => void man.#carry(socket, console));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return man;
  }

  get url(): string {
    return `wss://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #carry(socket: WebSocket, url: string): Promise<void> {
    const machine = new PairingTalk(socketChannel(socket, 'machine'));
    const [one, two] = await Promise.all([makePair(2048), makePair(2048)]);
    const asConsole = { key: one.public.jwk, nonce: freshNonce(randomBytes(32)) };
    const asMachine = { key: two.public.jwk, nonce: freshNonce(randomBytes(32)) };
    const dialled = value(await dial({ url: `${url}/pairing`, timeout_ms: 5000, provedLater: true }));
    const console = new PairingTalk(socketChannel(dialled, 'console'));
    dialled.resume();
    machine.onEnd = (why) => console.refuse(why);
    console.onEnd = (why) => machine.refuse(why);
    const hello: Hello = value(await machine.next('hello'));
    console.send('hello', { ...hello, commit: commitmentOf('machine', asMachine) });
    const committed = await console.next('commit');
    if (!committed.ok) return;
    machine.send('commit', { commit: commitmentOf('console', asConsole) });
    console.send('reveal', asMachine);
    const [ofMachine, ofConsole] = await Promise.all([machine.next('reveal'), console.next('reveal')]);
    if (!ofMachine.ok || !ofConsole.ok) return;
    machine.send('reveal', asConsole);
    this.towardsMachine = codesOf(ofMachine.value, asConsole);
    this.towardsConsole = codesOf(asMachine, ofConsole.value);
  }

  close(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
