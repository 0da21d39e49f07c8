import { publicKeyFromJwk, type PublicJwk, type PublicKey } from '../../crypto/rsa.js';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import type { CommandType } from '../../protocol/commands.js';
import type { ErrorCode } from '../../protocol/errors/index.js';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { sealReply, type Reply } from '../../protocol/reply.js';
import {
  openEnvelope,
  readEnvelope,
  readStatement,
  signerOf,
  type Claims,
  type Envelope,
  type Statement,
} from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { sealSold } from '../../protocol/sold.js';
import { formatEnvelope, formatHello, formatHint, parseWire } from '../../protocol/wire.js';
import type { Answers } from './answers.js';
import type { Core } from './core.js';
import { settlePair } from './decide/leases.js';
import { changesSomething } from './decide.js';
import { admitted, type Gate } from './gate.js';
import {
  consoleOfKey,
  fewestBits,
  judge,
  judgeOrder,
  levelOfKey,
  stillEnrolled,
  tellsTime,
} from './judge.js';
import { keepsWhenShown } from './keeping.js';
import type { Nonces } from './nonces.js';
import type { Notices } from './notices.js';
import type { Seen } from './seen.js';
import { ChannelStreams } from './streams.js';
import type { NodeTime } from './time.js';

export interface ServiceParts {
  readonly core: Core;
  readonly answers: Answers;
  readonly nonces: Nonces;
  readonly notices: Notices;
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
  'node-sold',
  'replayed',
  'cannot-open',
  'unknown-console',
  'bad-signature',
  'stream-gap',
  'stream-repeated',
  'stream-tampered',
  'stream-ended',
]);

/** One connection and what is under way on it. */
interface Party {
  readonly channel: MessageChannel;
  readonly streams: ChannelStreams;
  readonly underway: Set<Promise<void>>;
  readonly since_ms: number;
  /** A console has proved itself on it. */
  proven: boolean;
}

/**
 * The way of one command: `websocket → frame → open the seal → verify the signature → judge → (core: authorize → decide →
 * invariants → journal → effects) → sealed reply`. Everything that can be refused before the private key is used, is.
 */
export class Service {
  readonly #parts: ServiceParts;
  /** Channels with something under way, so that a stop can let them finish. */
  readonly #open = new Set<Party>();
  readonly #keys = new WeakMap<PublicJwk, PublicKey>();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  serve(channel: MessageChannel): void {
    const streams = new ChannelStreams(channel, this.#parts.answers.events, this.#parts.log);
    const since_ms = this.#parts.time.sinceBoot_ms();
    const party: Party = { channel, streams, underway: new Set(), since_ms, proven: false };
    this.#open.add(party);
    channel.onMessage((message) => this.#guarded(party, this.#take(party, message)));
    channel.onClose(() => {
      this.#open.delete(party);
      this.#parts.notices.closed(channel);
      streams.close();
    });
  }

  /** Is a request under way? */
  get busy(): boolean {
    for (const { underway } of this.#open) if (underway.size > 0) return true;
    return false;
  }

  close(): void {
    for (const { channel } of this.#open) channel.close('the node stops');
  }

  /** Called now and then: strangers that connect and say nothing must not hold all connections. */
  closeUnproven(): void {
    const before_ms = this.#parts.time.sinceBoot_ms() - limits.unproven_connection_ms_max;
    for (const { channel, proven, since_ms } of this.#open)
      if (!proven && since_ms < before_ms) channel.close('no console proved itself');
  }

  /** A fault of ours with one message ends its connection, and nothing else. */
  async #guarded(party: Party, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#parts.log.error('message.fault', { source: party.channel.source, why: messageOf(error) });
      party.channel.close('a fault of the node');
    }
  }

  async #take(party: Party, message: Message): Promise<void> {
    const { channel, streams, underway } = party;
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
        // Several requests of one console may be under way; when there are many, the connection waits.
        if (underway.size >= limits.requests_per_channel_max) await Promise.race(underway);
        this.#begin(party, wire.value.envelope);
        return;
      case 'hello':
      case 'reply':
      case 'notice':
      case 'sold':
      case 'hint':
        return this.#refuseUnread(channel, { code: 'malformed', detail: 'a message of the other side' });
    }
  }

  #begin(party: Party, envelope: string): void {
    const work = this.#guarded(party, this.#request(party, envelope)).finally(() => {
      party.underway.delete(work);
    });
    party.underway.add(work);
  }

  #hello(): string {
    const { core, boot, nonces, time } = this.#parts;
    return formatHello({
      v: 1,
      node: core.identity.public.id,
      boot,
      nonce: nonces.give(),
      time: time.now_s(),
    });
  }

  async #request(party: Party, text: string): Promise<void> {
    const { channel } = party;
    const envelope = readEnvelope(text);
    if (!envelope.ok) return this.#refuseUnread(channel, envelope.refusal);
    const statement = await this.#unseal(channel.source, envelope.value);
    if (!statement.ok) {
      if (statement.refusal.code === 'node-sold') await this.#tellSold(channel);
      return this.#refuseUnread(channel, statement.refusal, envelope.value.digest);
    }
    party.proven = true;
    await this.#answer(party, envelope.value, statement.value);
  }

  /** What needs no key first; then the private key, once, in the source's turn; then the signature. */
  async #unseal(source: string, envelope: Envelope): Promise<Result<Statement>> {
    const { core, gate, seen } = this.#parts;
    if (core.state.formerly?.pairs.includes(envelope.kid)) return refuse('node-sold');
    if (levelOfKey(core.state, envelope.kid) === undefined) return refuse('wrong-node');
    if (seen.has(envelope.digest)) return refuse('replayed');
    const pair = core.ring.pairs.get(envelope.kid);
    if (!pair) return refuse('wrong-node');
    const unsealed = await gate.inTurn(source, envelope.text.length, async () =>
      // The same message may have come twice while the first one waited.
      seen.has(envelope.digest) ? refuse('replayed') : openEnvelope(envelope, pair.private),
    );
    if (!unsealed.ok) return unsealed;
    const kid = signerOf(unsealed.value.jws);
    if (!kid.ok) return kid;
    const enrolled = consoleOfKey(core.state, kid.value);
    const signer = enrolled && this.#keyOf(enrolled.key);
    if (!signer) return refuse('unknown-console');
    return readStatement(unsealed.value, signer, envelope.kid);
  }

  /** The pair of a landlord that handed the node on opens nothing any more. What was signed of that goes to those whom it concerns, without a private key. */
  async #tellSold(channel: MessageChannel): Promise<void> {
    const { formerly } = this.#parts.core.state;
    for (const jwk of formerly?.told ?? []) {
      const key = this.#keyOf(jwk);
      if (!formerly || !key) continue;
      const proof = { v: 1, receipts: formerly.receipts, key: formerly.key } as const;
      await channel.send(formatEnvelope('S1', await sealSold(key, proof)));
    }
  }

  /** A key as OpenSSL knows it costs more to make than a signature to check, so it is kept as long as its console is enrolled. */
  #keyOf(jwk: PublicJwk): PublicKey | undefined {
    const known = this.#keys.get(jwk);
    if (known) return known;
    const made = publicKeyFromJwk(jwk);
    if (made) this.#keys.set(jwk, made);
    return made;
  }

  /** From here on it is known who speaks, and the answer is sealed. */
  async #answer(party: Party, envelope: Envelope, statement: Statement): Promise<void> {
    const { channel, streams } = party;
    const { claims, secret } = statement;
    const { core, nonces, time, log } = this.#parts;
    const about = { id: claims.jti, command: claims.command.type, of: claims.level, console: claims.iss };
    const answered = await this.#carryOut(envelope, statement, party);
    if (answered.ok) log.info('command.done', { ...about, again: answered.value.again });
    else log.warn('command.refused', { ...about, code: answered.refusal.code });
    const own = core.state.levels[claims.level];
    const head = own?.lease === claims.lease ? own.history.head : undefined;
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
    { claims, jws, secret, digest }: Statement,
    { channel, streams }: Party,
  ): Promise<Result<{ result: Readonly<Record<string, unknown>>; again: boolean; stream?: string }>> {
    const { core, answers, boot, nonces, notices, seen, time, log } = this.#parts;
    const sealedTo = levelOfKey(core.state, envelope.kid);
    if (sealedTo === undefined) return refuse('wrong-node');
    const { state, ring, identity } = core;
    const used = [ring.pairs.get(envelope.kid)?.public, identity.public];
    const keyBits = (type: CommandType): number => fewestBits(ring, used, type);
    const judged = judge(claims, sealedTo, { state, boot, now_s: time.now_s(), nonces, keyBits });
    if (!judged.ok) return judged;
    if (seen.has(envelope.digest) || seen.has(digest)) return refuse('replayed');
    if (judged.value.provenNew && tellsTime(claims, core.state)) await core.confirmTime(claims.iat);
    const now = { sinceBoot_ms: time.sinceBoot_ms(), now_s: time.now_s() };
    if (!seen.add([envelope.digest, digest], claims.exp, now))
      return refuse('too-many', 'the memory of messages is full');
    const { level, lease, command } = claims;
    const signer = consoleOfKey(core.state, claims.iss);
    const key = signer && this.#keyOf(signer.key);
    if (key) notices.proved(channel, { console: claims.iss, key, on: envelope.digest, lease, level });
    const request = {
      level,
      lease,
      console: claims.iss,
      jti: claims.jti,
      command,
      statement: jws,
      source: channel.source,
      ...judged.value,
    };
    const previous = core.state.levels[level]?.previous;
    if (previous?.id === envelope.kid && !(await core.actedBefore(request)))
      return refuse('wrong-node', 'the level has a new pair');
    if (previous && previous.id !== envelope.kid)
      await core.actByItself('pair.settled', (state) => settlePair(state, lease));
    log.info('command.taken', { id: claims.jti, command: command.type, of: level, console: claims.iss });
    const acted = await core.act(request, () => this.#stillHolds(claims));
    if (!acted.ok) return acted;
    if (command.type === 'events.follow') {
      const stream = streams.open({
        secret,
        digest: envelope.digest,
        lease: claims.lease,
        after: command.after,
        mayHear: () => stillEnrolled(claims, core.state),
        answer: async () => {
          const status = await answers.to({ type: 'status' }, level);
          const head = core.state.levels[level]?.history.head;
          return status.ok && head ? ok({ head, status: status.value ?? {} }) : refuse('wrong-level');
        },
      });
      return stream.ok ? ok({ result: {}, again: false, stream: stream.value }) : stream;
    }
    const serve = answers.streamOf(command, level);
    // What acted before does not act again: its answer comes without a stream.
    if (serve && !acted.value.again) {
      const mayHear = (): Result<void> => stillEnrolled(claims, core.state);
      const stream = streams.openDuplex({ secret, digest: envelope.digest, mayHear, serve });
      return stream.ok ? ok({ result: {}, again: false, stream: stream.value }) : stream;
    }
    if (changesSomething(command)) {
      const { result, again } = acted.value;
      const keeping = again ? undefined : keepsWhenShown(core, request, result);
      const mayHear = (): Result<void> => stillEnrolled(claims, core.state);
      const opened = keeping && streams.openDuplex({ secret, digest: envelope.digest, mayHear, ...keeping });
      // Where there is no room for the stream, the console confirms the change by a command.
      return ok({ result, again, ...(opened?.ok ? { stream: opened.value } : {}) });
    }
    // Another command may have ended the lease in the meantime.
    const present = stillEnrolled(claims, core.state);
    if (!present.ok) return present;
    const answer = await answers.to(command, level);
    if (!answer.ok) return answer;
    return ok({ result: answer.value ?? {}, again: false });
  }

  /** What a command is conditional on, as it is when its turn has come. */
  async #stillHolds(claims: Claims): Promise<Result<void>> {
    const { core, answers, log } = this.#parts;
    const enrolled = stillEnrolled(claims, core.state);
    if (!enrolled.ok) return enrolled;
    const ordered = judgeOrder(claims, core.state);
    if (!ordered.ok) return ordered;
    const same = await answers.sameHistory(claims);
    if (!same.ok) log.error('history.fork', { of: claims.level, console: claims.iss, seq: claims.head?.seq });
    return same;
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
