import type { Secret } from '../../../crypto/secret.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { limits } from '../../../protocol/limits.js';
import type { Log } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { RunningEngine } from '../../ports/engines.js';
import type { EngineSockets } from './interface.js';
import type { InnerSockets } from './inner-sockets.js';
import type { Handle } from './instances.js';
import {
  messageKey,
  newMessage,
  packAnswer,
  packMessage,
  SeenMessages,
  unpackAnswer,
  unpackMessage,
  type MessageAnswer,
} from './messages.js';

/** An engine of this node, as others of its level may name it. */
export interface Neighbour {
  readonly id: string;
  readonly name: string;
  readonly settings: EngineSettings;
  /** Its address in the node's network. Undefined: engines of this node have no network. */
  readonly address: string | undefined;
}

export interface MailboxParts {
  readonly inner: InnerSockets;
  readonly handleOf: (id: string) => Handle | undefined;
  readonly sockets: Pick<EngineSockets, 'deliver'>;
  readonly secretOf: (lease: string, name: string) => Promise<Secret | undefined>;
  /** The engines of a lease. */
  readonly neighbours: (lease: string) => readonly Neighbour[];
  readonly node: () => string;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * Messages from engine to engine. Each leaves from the sender's network namespace and arrives in the receiver's, as a connection to the port that the receiver's
 * settings name: so the filters of all levels judge it like everything else that those two say (security rule 23).
 */
export class Mailboxes {
  readonly #parts: MailboxParts;
  readonly #open = new Map<string, { readonly engine: RunningEngine; stop: () => void }>();
  readonly #sending = new Map<string, { under: number; tokens: number; at_ms: number }>();
  readonly #seen = new SeenMessages();

  constructor(parts: MailboxParts) {
    this.#parts = parts;
    // A moment later: a helper that cannot run at all must not be started without end.
    parts.inner.onLost = () => setTimeout(() => this.#beginAgain(), limits.engine_look_ms).unref();
  }

  /** An engine runs, or was found running. */
  begin(engine: RunningEngine): void {
    this.end(engine.id);
    if (!engine.settings?.messages) return;
    if (this.#open.size >= limits.engine_mailboxes_max)
      return this.#parts.log.warn('engine.no-mailbox', { why: 'too many engines take messages' });
    this.#open.set(engine.id, { engine, stop: () => {} });
    void this.#listen(engine, engine.settings.messages.port);
  }

  /** Beginning anew replaces what is walked through here. */
  #beginAgain(): void {
    const engines = Array.from(this.#open.values(), ({ engine }) => engine);
    for (const engine of engines) this.begin(engine);
  }

  end(id: string): void {
    this.#open.get(id)?.stop();
    this.#open.delete(id);
    this.#sending.delete(id);
  }

  async send(id: string, to: string, words: string): Promise<Result<object>> {
    const handle = this.#parts.handleOf(id);
    const own = handle && this.#neighbour(handle.lease, (one) => one.id === id);
    if (!handle || !own) return refuse('not-that-way', 'it is not known here any more');
    const place = this.#placeOf(handle.lease, own, to);
    if (!place.ok) return place;
    const may = this.#may(id);
    if (!may.ok) return may;
    let key: Secret | undefined;
    try {
      key = place.value.far ? await this.#keyOf(handle.lease, own.settings) : undefined;
      if (place.value.far && !key) return refuse('no-message-key');
      return await this.#exchange(handle, own.name, { ...place.value, words, key });
    } finally {
      key?.wipe();
      const sending = this.#sending.get(id);
      if (sending) sending.under -= 1;
    }
  }

  async #exchange(
    handle: Handle,
    from: string,
    order: {
      readonly address: string;
      readonly port: number;
      readonly to: string;
      readonly words: string;
      readonly key: Secret | undefined;
    },
  ): Promise<Result<object>> {
    const { inner, node, now } = this.#parts;
    const { address, port, to, words, key } = order;
    const message = newMessage({ from, node: node(), to, text: words }, now());
    const said = await inner.exchange(handle, {
      addresses: [address],
      port,
      timeout_ms: limits.engine_message_ms_max,
      bytes_max: limits.engine_message_bytes_max,
      until: 'end',
      say: packMessage(message, key),
      shut: true,
    });
    if (!said.ok) return refuse('message-not-taken', `${to}: ${said.detail}`);
    const answer = said.late || said.bytes.length === 0 ? undefined : unpackAnswer(said.bytes, key, message);
    if (!answer?.ok) return refuse('message-not-taken', `${to} did not say that it took it`);
    const { outcome, detail } = answer.value;
    if (outcome === 'taken') return ok({});
    return refuse('message-not-taken', `${to}: ${detail ?? outcome}`);
  }

  /** By the names of its own settings first: those are other nodes'. */
  #placeOf(
    lease: string,
    { settings }: Neighbour,
    to: string,
  ): Result<{ readonly address: string; readonly port: number; readonly to: string; readonly far: boolean }> {
    const peers = settings.messages?.peers ?? {};
    const peer = Object.hasOwn(peers, to) ? peers[to] : undefined;
    if (peer) return ok({ ...peer, to: peer.engine ?? to, far: true });
    const near = this.#neighbour(lease, ({ name }) => name === to);
    const port = near?.settings.messages?.port;
    if (!near || port === undefined) return refuse('engine-unknown', to);
    if (near.address === undefined)
      return refuse('message-not-taken', 'engines of this node have no network');
    return ok({ address: near.address, port, to, far: false });
  }

  #neighbour(lease: string, is: (one: Neighbour) => boolean): Neighbour | undefined {
    return this.#parts.neighbours(lease).find(is);
  }

  async #keyOf(lease: string, { messages }: EngineSettings): Promise<Secret | undefined> {
    const secret = messages?.key === undefined ? undefined : await this.#parts.secretOf(lease, messages.key);
    const key = secret && messageKey(secret);
    secret?.wipe();
    return key;
  }

  #may(id: string): Result<void> {
    const now = this.#parts.now();
    const full = limits.engine_messages_per_s;
    const sending = this.#sending.get(id) ?? { under: 0, tokens: full, at_ms: now };
    this.#sending.set(id, sending);
    const more = (Math.max(0, now - sending.at_ms) * full) / 1000;
    sending.tokens = Math.min(full, sending.tokens + more);
    sending.at_ms = now;
    if (sending.tokens < 1 || sending.under >= limits.engine_messages_at_once_max)
      return refuse('too-many', 'messages of this engine');
    sending.tokens -= 1;
    sending.under += 1;
    return ok(undefined);
  }

  async #listen(engine: RunningEngine, port: number): Promise<void> {
    const handle = this.#parts.handleOf(engine.id);
    const order = {
      port,
      bytes_max: limits.engine_message_bytes_max,
      timeout_ms: limits.engine_message_ms_max,
    };
    const listens = handle
      ? await this.#parts.inner.listen(handle, order, (from, bytes) =>
          // Whoever comes while the journal is being closed hears nothing, and ends nothing.
          this.#came(engine, from, bytes).catch(() => Buffer.alloc(0)),
        )
      : refuse('not-that-way');
    const mailbox = this.#open.get(engine.id);
    if (!listens.ok) {
      this.#parts.log.warn('engine.no-mailbox', { why: listens.refusal.detail });
    } else if (mailbox?.engine === engine) mailbox.stop = listens.value;
    else listens.value();
  }

  async #came(engine: RunningEngine, from: string, bytes: Buffer): Promise<Buffer> {
    const { lease, settings } = engine;
    const key = settings && (await this.#keyOf(lease, settings));
    try {
      const unpacked = unpackMessage(bytes, key);
      if (!unpacked.ok) return Buffer.alloc(0);
      const { message, sealed } = unpacked.value;
      const answer = (outcome: MessageAnswer['outcome'], detail?: string): Buffer =>
        packAnswer(
          { v: 1, id: message.id, outcome, ...(detail === undefined ? {} : { detail }) },
          sealed ? key : undefined,
        );
      const near = this.#neighbour(lease, ({ address }) => address === from);
      // Unsealed it is only believed of an engine of this node, whose address nobody else can have.
      if (!sealed && !near) return answer('refused', 'from another node only what is sealed is taken');
      const own = this.#neighbour(lease, (one) => one.id === engine.id);
      if (message.to !== own?.name) return answer('refused', 'no engine of that name takes messages there');
      if (sealed && !this.#seen.takes(message, this.#parts.now()))
        return answer('refused', 'it came before, or the clocks of the nodes are apart');
      const sender = sealed
        ? { engine: message.from, node: message.node, address: from }
        : { engine: near?.name ?? '', node: this.#parts.node() };
      const delivered = this.#parts.sockets.deliver(engine.id, { message: message.text, from: sender });
      if (delivered === 'taken') return answer('taken');
      return delivered === 'full'
        ? answer('full', 'it does not read what it is told')
        : answer('nobody', 'nobody there receives');
    } finally {
      key?.wipe();
    }
  }
}
