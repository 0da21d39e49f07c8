import { publicKeyFromJwk } from '../../crypto/rsa.js';
import type { Secret } from '../../crypto/secret.js';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import type { ErrorCode } from '../../protocol/errors/index.js';
import type { Log } from '../../protocol/log.js';
import { sealReply, type Reply } from '../../protocol/reply.js';
import {
  openEnvelope,
  readEnvelope,
  readStatement,
  replySecretOf,
  signerOf,
  type Envelope,
  type Statement,
} from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { formatEnvelope, formatHello, formatHint, parseWire } from '../../protocol/wire.js';
import type { Answers } from './answers.js';
import type { Core } from './core.js';
import { admitted, type Gate } from './gate.js';
import { consoleOfKey, judge, judgeOrder, levelOfKey } from './judge.js';
import type { Nonces } from './nonces.js';
import type { Seen } from './seen.js';
import { ChannelStreams } from './streams.js';
import type { NodeTime } from './time.js';

export interface ServiceParts {
  readonly core: Core;
  readonly answers: Answers;
  readonly nonces: Nonces;
  readonly seen: Seen;
  readonly gate: Gate;
  readonly time: NodeTime;
  /** Names this start of the node. */
  readonly boot: string;
  readonly log: Log;
}

/** What no honest console sends: it counts against its source. The rest may happen to anybody. */
const faults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'malformed',
  'cut',
  'wrong-node',
  'replayed',
  'cannot-open',
  'unknown-console',
  'bad-signature',
]);

/**
 * The way of one command: `websocket → frame → open the seal → verify the signature → judge → (core: authorize → decide →
 * invariants → journal → effects) → sealed reply`. Everything that can be refused before the private key is used, is.
 */
export class Service {
  readonly #parts: ServiceParts;
  /** Channels with something under way, so that a stop can let them finish. */
  readonly #open = new Set<MessageChannel>();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  serve(channel: MessageChannel): void {
    const streams = new ChannelStreams(channel, this.#parts.answers.events, this.#parts.log);
    this.#open.add(channel);
    channel.onMessage((message) => this.#take(channel, streams, message));
    channel.onClose(() => {
      this.#open.delete(channel);
      streams.close();
    });
  }

  close(): void {
    for (const channel of this.#open) channel.close('the node stops');
  }

  async #take(channel: MessageChannel, streams: ChannelStreams, message: Message): Promise<void> {
    const { gate } = this.#parts;
    const may = admitted(gate, channel.source);
    if (!may.ok) {
      await this.#hint(channel, may.refusal);
      channel.close('too many faults');
      return;
    }
    if (typeof message !== 'string') {
      const taken = streams.take(message);
      if (!taken.ok) await this.#refuseUnread(channel, taken.refusal);
      return;
    }
    const wire = parseWire(message);
    if (!wire.ok) return this.#refuseUnread(channel, wire.refusal);
    switch (wire.value.kind) {
      case 'hello-asked':
        await channel.send(this.#hello());
        return;
      case 'request':
        // Not awaited: one console may have several requests under way; the gate keeps their number small.
        void this.#request(channel, streams, wire.value.envelope);
        return;
      case 'hello':
      case 'reply':
      case 'notice':
      case 'hint':
        return this.#refuseUnread(channel, { code: 'malformed', detail: 'a message of the other side' });
    }
  }

  #hello(): string {
    const { core, boot, nonces, time } = this.#parts;
    return formatHello({
      v: 1,
      node: core.ring.identity.public.id,
      boot,
      nonce: nonces.give(),
      time: time.now_s(),
    });
  }

  async #request(channel: MessageChannel, streams: ChannelStreams, text: string): Promise<void> {
    const envelope = readEnvelope(text);
    if (!envelope.ok) return this.#refuseUnread(channel, envelope.refusal);
    const statement = await this.#unseal(channel.source, envelope.value);
    if (!statement.ok) return this.#refuseUnread(channel, statement.refusal, envelope.value.digest);
    await this.#answer(channel, streams, envelope.value, statement.value);
  }

  /** What needs no key first; then the private key, once, in the source's turn; then the signature. */
  async #unseal(source: string, envelope: Envelope): Promise<Result<Statement>> {
    const { core, gate, seen } = this.#parts;
    if (levelOfKey(core.state, envelope.kid) === undefined) return refuse('wrong-node');
    if (seen.has(envelope.digest)) return refuse('replayed');
    const pair = core.ring.pairs.get(envelope.kid);
    if (!pair) return refuse('wrong-node');
    const jws = await gate.inTurn(source, () => openEnvelope(envelope, pair.private));
    if (!jws.ok) return jws;
    const kid = signerOf(jws.value);
    if (!kid.ok) return kid;
    const enrolled = consoleOfKey(core.state, kid.value);
    const signer = enrolled && publicKeyFromJwk(enrolled.key);
    if (!signer) return refuse('unknown-console');
    return readStatement(jws.value, signer, envelope.kid);
  }

  /** From here on it is known who speaks, and the answer is sealed. */
  async #answer(
    channel: MessageChannel,
    streams: ChannelStreams,
    envelope: Envelope,
    statement: Statement,
  ): Promise<void> {
    const { claims } = statement;
    const { core, nonces, time, log } = this.#parts;
    const secret = replySecretOf(claims);
    const about = { id: claims.jti, command: claims.command.type, of: claims.level, console: claims.iss };
    const answered = await this.#carryOut(envelope, statement, streams, secret);
    if (answered.ok) log.info('command.done', { ...about, again: answered.value.again });
    else log.warn('command.refused', { ...about, code: answered.refusal.code });
    const head = core.state.levels[claims.level]?.history.head;
    const reply: Reply = {
      v: 1,
      jti: claims.jti,
      time: time.now_s(),
      nonce: nonces.give(),
      head: head ?? { seq: 0, digest: 'A'.repeat(43) },
      again: answered.ok && answered.value.again,
      ...(answered.ok ? { result: answered.value.result } : { error: answered.refusal }),
      ...(answered.ok && answered.value.stream !== undefined ? { stream: answered.value.stream } : {}),
    };
    const sealed = await sealReply(secret, envelope.digest, reply);
    const sent = await channel.send(formatEnvelope('P1', sealed));
    if (answered.ok && answered.value.stream !== undefined && sent) streams.begin(answered.value.stream);
    secret.wipe();
  }

  async #carryOut(
    envelope: Envelope,
    { claims, jws }: Statement,
    streams: ChannelStreams,
    secret: Secret,
  ): Promise<Result<{ result: Readonly<Record<string, unknown>>; again: boolean; stream?: string }>> {
    const { core, answers, boot, nonces, seen, time, log } = this.#parts;
    const sealedTo = levelOfKey(core.state, envelope.kid);
    if (sealedTo === undefined) return refuse('wrong-node');
    const judged = judge(claims, sealedTo, { state: core.state, boot, now_s: time.now_s(), nonces });
    if (!judged.ok) return judged;
    if (seen.has(envelope.digest)) return refuse('replayed');
    if (!seen.add(envelope.digest, time.sinceBoot_ms()))
      return refuse('too-many', 'the memory of messages is full');
    const ordered = judgeOrder(claims, core.state);
    if (!ordered.ok) return ordered;
    const sameHistory = await answers.sameHistory(claims);
    if (!sameHistory.ok) {
      log.error('history.fork', { of: claims.level, console: claims.iss, seq: claims.head?.seq });
      return sameHistory;
    }
    const { level, command } = claims;
    const request = { level, console: claims.iss, jti: claims.jti, command, statement: jws, ...judged.value };
    log.info('command.taken', { id: claims.jti, command: command.type, of: level, console: claims.iss });
    const acted = await core.act(request);
    if (!acted.ok) return acted;
    if (command.type === 'events.follow') {
      const stream = streams.open(secret, envelope.digest, claims.lease, command.after);
      return stream.ok ? ok({ result: {}, again: false, stream: stream.value }) : stream;
    }
    const answer = await answers.to(command, level);
    if (!answer.ok) return answer;
    return ok({ result: answer.value ?? acted.value.result, again: acted.value.again });
  }

  /** Not sealed, because who asks is not known: a hint, and a mark against the source. */
  async #refuseUnread(channel: MessageChannel, refusal: Refusal, digest?: string): Promise<void> {
    if (faults.has(refusal.code)) this.#parts.gate.fault(channel.source);
    this.#parts.log.debug('message.refused', { source: channel.source, code: refusal.code });
    await this.#hint(channel, refusal, digest);
  }

  async #hint(channel: MessageChannel, refusal: Refusal, re?: string): Promise<void> {
    const retryAfter = refusal.data?.['retryAfter'];
    await channel.send(
      formatHint({
        code: refusal.code,
        ...(refusal.detail === undefined ? {} : { detail: refusal.detail }),
        ...(re === undefined ? {} : { re }),
        ...(typeof retryAfter === 'number' ? { retryAfter } : {}),
      }),
    );
  }
}
