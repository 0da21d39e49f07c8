import { digestOf } from '../../../crypto/bytes.js';
import { sign, utf8 } from '../../../crypto/jose.js';
import type { Pair, PublicKey } from '../../../crypto/rsa.js';
import type { Message, MessageChannel } from '../../../protocol/channel.js';
import type { Command } from '../../../protocol/commands.js';
import { limits } from '../../../protocol/limits.js';
import type { NodeCard } from '../../../protocol/node-card.js';
import { newId, openEnvelope, readEnvelope, readStatement } from '../../../protocol/request.js';
import { sealReply } from '../../../protocol/reply.js';
import { formatEnvelope, formatHello, parseWire } from '../../../protocol/wire.js';

/** Two ends of a connection within this process: what one says, the other hears in the next turn. */
export function channelPair(): readonly [MessageChannel, MessageChannel] {
  const ends = [new MemoryEnd(), new MemoryEnd()] as const;
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  return ends;
}

class MemoryEnd implements MessageChannel {
  readonly source = 'memory';
  other: MemoryEnd | undefined;
  #handler: (message: Message) => void | Promise<void> = () => {};
  #closed: (reason: string) => void = () => {};

  send(message: Message): Promise<boolean> {
    setImmediate(() => void this.other?.hear(message));
    return Promise.resolve(true);
  }

  hear(message: Message): void | Promise<void> {
    return this.#handler(message);
  }

  onMessage(handler: (message: Message) => void | Promise<void>): void {
    this.#handler = handler;
  }

  onClose(handler: (reason: string) => void): void {
    this.#closed = handler;
  }

  close(reason: string): void {
    this.#closed(reason);
  }
}

/** What every line of a history carries beside its place in it: signed once, since a signature costs a millisecond. */
export interface SignedCommand {
  readonly jti: string;
  readonly statement: string;
}

/**
 * A node as its customer's console meets it: real envelopes, seals, signatures and a real chain of history; behind them nothing but memory, with no
 * kernel, no runtime and no disk, so that what is measured is the console, and what the protocol costs both.
 */
export class ServedNode {
  readonly lease = newId();
  readonly boot = newId();
  readonly #name: string;
  readonly #identity: Pair;
  readonly #pair: Pair;
  readonly #console: PublicKey;
  readonly #lines: string[] = [];
  #head = { seq: 0, digest: 'A'.repeat(43) };
  #filters = 0;
  #engine: { revision: number; settings: unknown } | undefined;

  constructor(
    name: string,
    keys: { readonly identity: Pair; readonly pair: Pair; readonly console: PublicKey },
  ) {
    this.#name = name;
    this.#identity = keys.identity;
    this.#pair = keys.pair;
    this.#console = keys.console;
  }

  get card(): NodeCard {
    return {
      v: 1,
      kind: 'node-card',
      name: this.#name,
      identity: this.#identity.public.jwk,
      keyStore: 'file',
      level: 1,
      lease: this.lease,
      key: this.#pair.public.jwk,
      ways: [{ via: 'direct', url: `wss://${this.#name}:1` }],
    };
  }

  /** So much happened. */
  happen(commands: readonly SignedCommand[]): void {
    for (const { jti, statement } of commands) {
      const seq = this.#head.seq + 1;
      const line = JSON.stringify({
        v: 1,
        node: this.#identity.public.id,
        level: 1,
        lease: this.lease,
        seq,
        previous: this.#head.digest,
        time: 1_800_000_000 + seq,
        by: { level: 1, console: this.#console.id },
        jti,
        command: 'status',
        sees: 'statement',
        statement,
        outcome: { done: true },
      });
      this.#lines.push(line);
      this.#head = { seq, digest: digestOf(line) };
    }
  }

  connect(): MessageChannel {
    const [console, node] = channelPair();
    node.onMessage(async (message) => {
      const wire = typeof message === 'string' ? parseWire(message) : undefined;
      if (!wire?.ok) return;
      if (wire.value.kind === 'hello-asked')
        await node.send(
          formatHello({
            v: 1,
            node: this.#identity.public.id,
            boot: this.boot,
            nonce: 'A'.repeat(43),
            time: Math.floor(Date.now() / 1000),
          }),
        );
      if (wire.value.kind === 'request') await this.#serve(node, wire.value.envelope);
    });
    return console;
  }

  async #serve(channel: MessageChannel, text: string): Promise<void> {
    const envelope = readEnvelope(text);
    const unsealed = envelope.ok ? openEnvelope(envelope.value, this.#pair.private) : envelope;
    if (!envelope.ok || !unsealed.ok) return;
    const statement = await readStatement(unsealed.value, this.#console, this.#pair.public.id);
    if (!statement.ok) return;
    const { claims, secret } = statement.value;
    const result = await this.#answer(claims.command);
    const reply = await sealReply(secret, envelope.value.digest, {
      v: 1,
      jti: claims.jti,
      time: Math.floor(Date.now() / 1000),
      nonce: 'A'.repeat(43),
      head: this.#head,
      again: false,
      ...(result ? { result } : { error: { code: 'engine-unknown' } }),
    });
    await channel.send(formatEnvelope('P1', reply));
  }

  /** Undefined: what this bench does not ask for, or an engine that was not described. */
  async #answer(command: Command): Promise<Record<string, unknown> | undefined> {
    const { type } = command;
    if (type === 'status') return { name: this.#name, filters: { version: this.#filters } };
    if (type === 'filters.replace') return { version: (this.#filters += 1) };
    if (type === 'filters.confirm') return { version: this.#filters };
    if (type === 'engine.start' || type === 'engine.restart') return {};
    if (type === 'history.read') return this.#history(command.from, command.count);
    if (type === 'engine.put') {
      this.#engine = { revision: (this.#engine?.revision ?? 0) + 1, settings: command.settings };
      return {};
    }
    if (type !== 'engine.read' || !this.#engine) return undefined;
    const runs = { state: 'running', wanted: 'running', restarts: 0, runs: this.#engine.revision };
    return { name: command.name, ...runs, ...this.#engine };
  }

  async #history(from: number, count: number): Promise<Record<string, unknown>> {
    const lines: string[] = [];
    let chars = 0;
    for (const line of this.#lines.slice(from - 1, from - 1 + count)) {
      chars += line.length;
      if (lines.length > 0 && chars > limits.history_page_chars_max) break;
      lines.push(line);
    }
    const header = { typ: 'bm-checkpoint+jws', kid: this.#identity.public.id };
    const said = { v: 1, level: 1, lease: this.lease, ...this.#head, time: 1_800_000_000 };
    const checkpoint = await sign(this.#identity.private, header, utf8(JSON.stringify(said)));
    return { first: 1, from, lines, head: this.#head, checkpoint };
  }
}
