import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { socketChannel } from '../../protocol/socket.js';
import type { StreamOpener, StreamSealer } from '../../crypto/stream.js';
import { makePair, type Pair, type PublicKey } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { Command } from '../../protocol/commands.js';
import type { NodeCard } from '../../protocol/node-card.js';
import type { Answer } from '../../protocol/question.js';
import { newId, openEnvelope, readEnvelope, readStatement, signerOf } from '../../protocol/request.js';
import { sealReply, streamOpener, streamSealer } from '../../protocol/reply.js';
import { formatEnvelope, formatHello, formatHint, parseWire } from '../../protocol/wire.js';

/** What the fake does with a command. */
export type Behaviour = 'answer' | 'silent' | 'refuse' | 'hint';

/**
 * Speaks the real protocol with real keys over real sockets, and does nothing. It judges only what a console's tests need;
 * the node itself has tests of its own.
 */
export class FakeNode {
  readonly identity: Pair;
  readonly pair: Pair;
  readonly lease = newId();
  readonly boot = newId();
  readonly consoles = new Map<string, PublicKey>();
  readonly commands: Command[] = [];
  /** What followers of the last stream said of what they had taken in. */
  readonly acknowledged: string[] = [];
  #following:
    | { readonly opener: StreamOpener; readonly sealer: StreamSealer; readonly channel: MessageChannel }
    | undefined;
  #right: Answer | undefined;
  /** What it makes of the right answer to a question; undefined: it says nothing. */
  answers: (right: Answer) => object | undefined = (right) => right;
  behaviour: Behaviour = 'answer';
  /** Which commands it carries out; the others are refused. */
  gives: (type: Command['type']) => boolean = () => true;
  /** What a stream brings, and whether it ends then. */
  words: readonly string[] = ['{"alive":0}'];
  endsStreams = false;
  /** Commands that are answered by a hint with this code: unsealed, as whoever carries the connection could send it. */
  readonly hints = new Map<Command['type'], string>();
  status: Record<string, unknown> = { name: 'fake' };
  /** What it answers to a command instead of its status. */
  readonly results = new Map<Command['type'], Record<string, unknown>>();
  readonly #channels = new Set<MessageChannel>();
  #server: Server | undefined;

  private constructor(identity: Pair, pair: Pair) {
    this.identity = identity;
    this.pair = pair;
  }

  static async make(): Promise<FakeNode> {
    return new FakeNode(await makePair(2048), await makePair(2048));
  }

  get id(): string {
    return this.identity.public.id;
  }

  card(name: string, url: string): NodeCard {
    return {
      v: 1,
      kind: 'node-card',
      name,
      identity: this.identity.public.jwk,
      keyStore: 'file',
      level: 0,
      lease: this.lease,
      key: this.pair.public.jwk,
      ways: [{ via: 'direct', url }],
    };
  }

  get open(): number {
    return this.#channels.size;
  }

  /** Its level enrols nobody any more; a real node ends what such consoles follow. */
  forgetConsoles(): void {
    this.consoles.clear();
    for (const channel of this.#channels) channel.close('unknown-console');
  }

  async listen(port = 0): Promise<string> {
    const server = createServer();
    this.#server = server;
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on('connection', (socket: WebSocket) => this.serve(socketChannel(socket, 'direct')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const channel of this.#channels) channel.close('stopped');
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  serve(channel: MessageChannel): void {
    this.#channels.add(channel);
    channel.onClose(() => this.#channels.delete(channel));
    channel.onMessage(async (message) => {
      if (typeof message !== 'string') {
        await this.#takeFrame(message);
        return;
      }
      const wire = parseWire(message);
      if (!wire.ok) return;
      if (wire.value.kind === 'hello-asked')
        await channel.send(
          formatHello({
            v: 1,
            node: this.id,
            boot: this.boot,
            nonce: 'A'.repeat(43),
            time: Math.floor(Date.now() / 1000),
          }),
        );
      if (wire.value.kind === 'request') await this.#answer(channel, wire.value.envelope);
    });
  }

  /** A line more on the last stream. */
  async say(line: object): Promise<void> {
    const following = this.#following;
    if (following && !following.sealer.ended)
      await following.channel.send(following.sealer.seal(Buffer.from(JSON.stringify(line))));
  }

  beat(): Promise<void> {
    return this.say({ alive: 0 });
  }

  /** The right answer to the question before, after all. */
  async answerLast(): Promise<void> {
    if (this.#right) await this.say(this.#right);
  }

  async #takeFrame(frame: Uint8Array): Promise<void> {
    const following = this.#following;
    const opened = following?.opener.open(frame);
    if (!following || !opened || 'fault' in opened) return;
    const said = Buffer.from(opened.plaintext).toString();
    this.acknowledged.push(said);
    const { ask } = JSON.parse(said) as { readonly ask?: string };
    if (ask === undefined || following.sealer.ended || this.behaviour === 'silent') return;
    const status = { ...this.status, node: this.id, lease: this.lease, started: 1, nextEvent: 1000 };
    this.#right = { answer: ask, head: { seq: 7, digest: 'A'.repeat(43) }, status };
    const answer = this.answers(this.#right);
    if (answer) await this.say(answer);
  }

  async #answer(channel: MessageChannel, text: string): Promise<void> {
    const envelope = readEnvelope(text);
    if (!envelope.ok) return void (await channel.send(formatHint({ code: envelope.refusal.code })));
    const re = envelope.value.digest;
    if (this.behaviour === 'silent') return;
    if (this.behaviour === 'hint') return void (await channel.send(formatHint({ code: 'wrong-boot', re })));
    const unsealed = openEnvelope(envelope.value, this.pair.private);
    if (!unsealed.ok) return void (await channel.send(formatHint({ code: unsealed.refusal.code, re })));
    const kid = signerOf(unsealed.value.jws);
    const signer = kid.ok ? this.consoles.get(kid.value) : undefined;
    if (!signer) return void (await channel.send(formatHint({ code: 'unknown-console', re })));
    const statement = await readStatement(unsealed.value, signer, this.pair.public.id);
    if (!statement.ok) return void (await channel.send(formatHint({ code: statement.refusal.code, re })));
    const { claims, secret } = statement.value;
    this.commands.push(claims.command);
    const hint = this.hints.get(claims.command.type);
    if (hint !== undefined) return void (await channel.send(formatHint({ code: hint, re })));
    const refused = this.behaviour === 'refuse' || !this.gives(claims.command.type);
    const stream = claims.command.type === 'events.follow' && !refused ? newId() : undefined;
    const reply = await sealReply(secret, re, {
      v: 1,
      jti: claims.jti,
      time: Math.floor(Date.now() / 1000),
      nonce: 'A'.repeat(43),
      head: { seq: 0, digest: 'A'.repeat(43) },
      again: false,
      ...(refused
        ? { error: { code: 'not-found', detail: 'no' } }
        : { result: this.results.get(claims.command.type) ?? this.status }),
      ...(stream === undefined ? {} : { stream }),
    });
    await channel.send(formatEnvelope('P1', reply));
    if (stream === undefined) return;
    const sealer = streamSealer(secret, re, stream, 'from-node');
    this.#following = { opener: streamOpener(secret, re, stream, 'to-node'), sealer, channel };
    for (const word of this.words) await channel.send(sealer.seal(Buffer.from(word)));
    if (this.endsStreams) await channel.send(sealer.seal(new Uint8Array(), true));
  }
}
