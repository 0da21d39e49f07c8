import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { digestOf, toB64u } from '../../crypto/bytes.js';
import { utf8 } from '../../crypto/jose.js';
import type { StreamOpener, StreamSealer } from '../../crypto/stream.js';
import { streamIdOf } from '../../crypto/stream.js';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import {
  openEnvelope,
  readEnvelope,
  readStatement,
  signerOf,
  type Statement,
} from '../../protocol/request.js';
import { sealReply, streamNameOf, streamOpener, streamSealer } from '../../protocol/reply.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { socketChannel } from '../../protocol/socket.js';
import { formatEnvelope, formatHello, formatHint, parseWire } from '../../protocol/wire.js';
import { newNonce, type SimulatedNode } from './node.js';

interface Stream {
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
}

/** On which a change of filters is kept by its secret. */
interface Keeping extends Stream {
  readonly keep: string;
  readonly version: number;
  shown: Uint8Array;
}

/**
 * One connection to a simulated node. The messages, seals and signatures are those of a real node; what is left out is what protects a node
 * against its consoles: nothing is remembered against replay and no source is counted.
 */
export class Talk {
  readonly node: SimulatedNode;
  readonly #socket: WebSocket;
  readonly #channel: MessageChannel;
  readonly #streams = new Map<string, Stream>();
  readonly #keeping = new Map<string, Keeping>();
  #flooding = false;

  constructor(node: SimulatedNode, socket: WebSocket, onClose: (talk: Talk) => void) {
    this.node = node;
    this.#socket = socket;
    this.#channel = socketChannel(socket, 'console');
    this.#channel.onClose(() => onClose(this));
    this.#channel.onMessage(async (message) => this.#take(message));
  }

  hangUp(): void {
    this.#socket.terminate();
  }

  /** A sign of life to each follower. */
  beat(): void {
    const { failing } = this.node;
    if (failing.has('silence') || this.#streams.size === 0) return;
    const last = failing.has('lie') ? this.node.nextEvent + 1000 : this.node.nextEvent - 1;
    this.#later(() => this.tell(JSON.stringify({ alive: last })));
    if (failing.has('rubbish')) this.#rubbish();
    if (failing.has('flood')) void this.#flood();
  }

  tell(line: string): void {
    for (const { sealer } of this.#streams.values()) void this.#channel.send(sealer.seal(utf8(line)));
  }

  #later(act: () => void): void {
    const wait_ms = this.node.failing.get('late');
    if (wait_ms === undefined) act();
    else setTimeout(act, wait_ms).unref();
  }

  /** Each kind of what cannot be read: beside the protocol, of no stream, under no seal, and cut. */
  #rubbish(): void {
    void this.#channel.send('X9 what is this');
    void this.#channel.send(randomBytes(64));
    void this.#channel.send(`P1 10 ${'A'.repeat(8)}`);
    const [name] = this.#streams.keys();
    if (name === undefined) return;
    const frame = Buffer.concat([Buffer.from(name, 'base64url'), randomBytes(48)]);
    frame[16] = 0;
    void this.#channel.send(frame);
  }

  async #flood(): Promise<void> {
    if (this.#flooding) return;
    this.#flooding = true;
    while (this.node.failing.has('flood') && this.#streams.size > 0) {
      const lines = Array.from({ length: 100 }, () => {
        const { nextEvent } = this.node;
        this.node.nextEvent += 1;
        return JSON.stringify({ seq: nextEvent, time: 1, kind: 'flood', words: 'x'.repeat(200) });
      });
      for (const { sealer } of this.#streams.values())
        if (!(await this.#channel.send(sealer.seal(utf8(lines.join('\n')))))) this.#streams.clear();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#flooding = false;
  }

  async #take(message: Message): Promise<void> {
    const slow_ms = this.node.failing.get('slow');
    if (slow_ms !== undefined) await new Promise((resolve) => setTimeout(resolve, slow_ms));
    if (this.node.failing.has('silence')) return;
    if (typeof message !== 'string') return this.#takeFrame(message);
    const wire = parseWire(message);
    if (!wire.ok) return void (await this.#channel.send(formatHint({ code: wire.refusal.code })));
    if (wire.value.kind === 'hello-asked') return this.#hello();
    if (wire.value.kind === 'request') void this.#request(wire.value.envelope);
  }

  #hello(): void {
    const { id, boot } = this.node;
    const time = Math.floor(Date.now() / 1000);
    this.#later(
      () => void this.#channel.send(formatHello({ v: 1, node: id, boot, nonce: newNonce(), time })),
    );
  }

  async #request(text: string): Promise<void> {
    const envelope = readEnvelope(text);
    if (!envelope.ok) return void (await this.#channel.send(formatHint({ code: envelope.refusal.code })));
    const re = envelope.value.digest;
    const statement = await this.#read(text);
    if (!statement.ok) {
      await this.#channel.send(formatHint({ code: statement.refusal.code, re }));
      return;
    }
    this.#later(() => void this.#answer(re, statement.value));
  }

  async #read(text: string): Promise<Result<Statement>> {
    const { level, landlord } = this.node;
    const envelope = readEnvelope(text);
    if (!envelope.ok) return envelope;
    if (envelope.value.kid !== level.public.id) return refuse('wrong-node');
    const unsealed = openEnvelope(envelope.value, level.private);
    if (!unsealed.ok) return unsealed;
    const kid = signerOf(unsealed.value.jws);
    if (!kid.ok) return kid;
    if (kid.value !== landlord.id) return refuse('unknown-console');
    return readStatement(unsealed.value, landlord, level.public.id);
  }

  async #answer(re: string, { claims, secret }: Statement): Promise<void> {
    const { node } = this;
    const may = claims.boot === node.boot ? ok(true) : refuse('wrong-boot');
    const mine = claims.lease === node.lease ? may : refuse('wrong-lease');
    const answered = mine.ok ? node.answer(claims.command) : mine;
    const { command } = claims;
    const keep = command.type === 'filters.replace' ? command.keep : undefined;
    const followed = command.type === 'events.follow' || keep !== undefined;
    const stream = answered.ok && followed ? toB64u(randomBytes(16)) : undefined;
    const reply = await sealReply(secret, re, {
      v: 1,
      jti: claims.jti,
      time: Math.floor(Date.now() / 1000),
      nonce: newNonce(),
      head: { seq: 0, digest: 'A'.repeat(43) },
      again: false,
      ...(answered.ok ? { result: answered.value } : { error: answered.refusal }),
      ...(stream === undefined ? {} : { stream }),
    });
    await this.#channel.send(formatEnvelope('P1', reply));
    if (stream === undefined) return;
    const opened: Stream = {
      sealer: streamSealer(secret, re, stream, 'from-node'),
      opener: streamOpener(secret, re, stream, 'to-node'),
    };
    if (keep !== undefined && answered.ok) {
      const version = Number(answered.value['version']);
      return void this.#keeping.set(stream, { ...opened, keep, version, shown: new Uint8Array() });
    }
    this.#streams.set(stream, opened);
    const { after } = command.type === 'events.follow' ? command : {};
    const missed = after === undefined ? [] : node.eventsAfter(after);
    this.tell(missed.length > 0 ? missed.join('\n') : JSON.stringify({ alive: node.nextEvent - 1 }));
  }

  /** An acknowledgement, perhaps with a question. */
  #takeFrame(frame: Uint8Array): void {
    const id = streamIdOf(frame);
    const name = id ? streamNameOf(id) : '';
    const keeping = this.#keeping.get(name);
    if (keeping) return this.#takeSecret(name, keeping, frame);
    const stream = this.#streams.get(name);
    const opened = stream?.opener.open(frame);
    if (!stream || !opened) return;
    if ('fault' in opened || opened.final) return void this.#streams.delete(name);
    const said = JSON.parse(Buffer.from(opened.plaintext).toString()) as { readonly ask?: string };
    if (said.ask !== undefined) this.#later(() => this.#reply(stream, said.ask));
  }

  /** Bytes until the console says that these were all. */
  #takeSecret(name: string, keeping: Keeping, frame: Uint8Array): void {
    const opened = keeping.opener.open(frame);
    if ('fault' in opened) return void this.#keeping.delete(name);
    if (!opened.final) return void (keeping.shown = Uint8Array.from(opened.plaintext.subarray(1)));
    this.#keeping.delete(name);
    const { version } = keeping;
    const right = digestOf(keeping.shown) === keeping.keep;
    const kept = right ? this.node.answer({ type: 'filters.confirm', version }) : refuse('not-authorised');
    const said = kept.ok ? { done: kept.value } : { end: kept.refusal.code };
    this.#later(() => void this.#channel.send(keeping.sealer.seal(utf8(JSON.stringify(said)), true)));
  }

  #reply({ sealer }: Stream, answer: string | undefined): void {
    if (sealer.ended) return;
    const line = { answer, head: { seq: 0, digest: 'A'.repeat(43) }, status: this.node.status };
    void this.#channel.send(sealer.seal(utf8(JSON.stringify(line))));
  }
}
