import type { PublicKey } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import { limits } from '../../protocol/limits.js';
import { messageOf, type Log } from '../../protocol/log.js';
import { noticedKinds, sealNotices, type Happened, type NoticeBody } from '../../protocol/notice.js';
import { newId } from '../../protocol/request.js';
import { formatEnvelope } from '../../protocol/wire.js';
import type { Core } from './core.js';
import type { NodeEvent } from './decision.js';
import { outOfScope, type Level } from './state.js';
import type { NodeTime } from './time.js';

export interface NoticeParts {
  readonly core: Pick<Core, 'state' | 'identity'>;
  readonly time: Pick<NodeTime, 'now_s' | 'sinceBoot_ms'>;
  readonly keyStore: 'tpm' | 'file';
  readonly boot: string;
  readonly log: Log;
}

/** A console that proved itself on a connection, and what it is still to be told. */
interface Listener {
  readonly channel: MessageChannel;
  readonly console: string;
  readonly key: PublicKey;
  readonly on: string;
  readonly lease: string;
  readonly level: number;
  waiting: Happened[];
  left: number;
  seq: number;
  /** The head that it was told last, so that a checkpoint says something new. */
  told: string;
  /** Its lease ended: the next notice is its last. */
  over: boolean;
  sending: boolean;
}

/**
 * Tells consoles unasked what they should not have to ask for: that a lease ends soon, went dark or ended, that filters were undone or tables
 * repaired; and now and then where their history stands, signed, so that a node put back to an older state can be shown to have been.
 *
 * INVARIANTS:
 * - Signatures are made here alone, never in the core's turn nor for a request, and at most one in `notices_rest_ms`: N may be in a TPM.
 * - Only what is durable is told, and only to consoles that are enrolled, or were when their lease ended.
 * - A console that does not read holds up nobody: what waits for it is bounded, and what was left out is counted.
 */
export class Notices {
  readonly #parts: NoticeParts;
  readonly #listeners = new Set<Listener>();
  #signing = false;
  #last_ms = Number.NEGATIVE_INFINITY;
  #checkpoint_ms: number;
  /** Since when something waits while the node is busy. */
  #patient_ms: number | undefined;

  constructor(parts: NoticeParts) {
    this.#parts = parts;
    this.#checkpoint_ms = parts.time.sinceBoot_ms();
  }

  /** A request of this console was judged good: it is for this lease, fresh, and seen for the first time. */
  proved(
    channel: MessageChannel,
    by: {
      readonly console: string;
      readonly key: PublicKey;
      readonly on: string;
      readonly lease: string;
      readonly level: number;
    },
  ): void {
    const here = [...this.#listeners].filter((one) => one.channel === channel);
    if (here.some(({ console, lease }) => console === by.console && lease === by.lease)) return;
    if (here.length >= limits.notice_listeners_per_channel_max) return;
    const told = this.#head(by.lease)?.digest ?? '';
    const fresh = { waiting: [], left: 0, seq: 0, over: false, sending: false };
    this.#listeners.add({ channel, ...by, told, ...fresh });
  }

  closed(channel: MessageChannel): void {
    for (const one of this.#listeners) if (one.channel === channel) this.#listeners.delete(one);
  }

  /** Something became durable that the holders of this lease may know. */
  told(lease: string, event: NodeEvent, time_s: number): void {
    if (event.kind === 'console.removed') this.#prune();
    if (!noticedKinds.has(event.kind)) return;
    const happened: Happened = { time: time_s, kind: event.kind, fields: event.fields };
    for (const one of this.#listeners) if (one.lease === lease) add(one, happened);
    if (event.kind !== 'lease.ended') return;
    for (const one of this.#listeners) {
      // Each level above tells it once; those whose lease it was hear it here, once.
      if (one.lease !== event.fields['lease'] || one.over) continue;
      add(one, happened);
      one.over = true;
    }
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Called in the rhythm of the node's clockwork. */
  async tick(busy: boolean): Promise<void> {
    const now_ms = this.#parts.time.sinceBoot_ms();
    if (this.#signing || now_ms - this.#last_ms < limits.notices_rest_ms) return;
    this.#prune();
    const due = this.#due(now_ms);
    if (due.length === 0) return;
    // Commands go first, as long as nobody has to wait too long for what happened.
    this.#patient_ms ??= now_ms;
    if (busy && now_ms - this.#patient_ms < limits.notices_patience_ms) return;
    this.#patient_ms = undefined;
    this.#signing = true;
    this.#last_ms = now_ms;
    try {
      await this.#tell(due);
    } catch (error) {
      this.#parts.log.error('notices.failed', { why: messageOf(error) });
    } finally {
      this.#signing = false;
    }
  }

  /** Who has something to hear; when the rhythm says so, also those whose history went on. */
  #due(now_ms: number): readonly Listener[] {
    const checkpoint = now_ms - this.#checkpoint_ms >= limits.notices_checkpoint_ms;
    const due = [...this.#listeners].filter(
      (one) =>
        !one.sending &&
        (one.waiting.length > 0 || (checkpoint && !one.over && this.#head(one.lease)?.digest !== one.told)),
    );
    // The rest has its turn after the rest.
    if (checkpoint && due.length <= limits.notices_per_signature_max) this.#checkpoint_ms = now_ms;
    return due.slice(0, limits.notices_per_signature_max);
  }

  async #tell(due: readonly Listener[]): Promise<void> {
    const { core, time, keyStore, boot, log } = this.#parts;
    const notices = due.map((one) => ({ key: one.key, body: this.#bodyFor(one) }));
    const counts = due.map(({ waiting, left }) => ({ lines: waiting.length, left }));
    const sealed = await sealNotices(core.identity, { keyStore, boot, time: time.now_s() }, notices);
    log.debug('notices.signed', { consoles: due.length });
    for (const [at, one] of due.entries()) {
      const { lines = 0, left = 0 } = counts[at] ?? {};
      one.seq += 1;
      one.waiting = one.waiting.slice(lines);
      one.left -= left;
      one.told = notices[at]?.body.head?.digest ?? one.told;
      one.sending = true;
      if (one.over) this.#listeners.delete(one);
      void one.channel.send(formatEnvelope('U1', sealed[at] ?? '')).finally(() => (one.sending = false));
    }
  }

  #bodyFor(one: Listener): NoticeBody {
    const head = this.#head(one.lease);
    return {
      v: 1,
      id: newId(),
      to: one.console,
      on: one.on,
      level: one.level,
      lease: one.lease,
      seq: one.seq + 1,
      ...(head ? { head } : {}),
      happened: one.waiting,
      left: one.left,
    };
  }

  #head(lease: string): NoticeBody['head'] {
    return this.#parts.core.state.levels.find((level) => level.lease === lease)?.history.head;
  }

  /** A console that its level took out of the roster, or limited to other nodes, hears nothing more. */
  #prune(): void {
    const { levels } = this.#parts.core.state;
    for (const one of this.#listeners) {
      const level = levels.find(({ lease }) => lease === one.lease);
      // A lease that is over is still to be told to those who held it.
      if (level && !speaksIn(level, one.console)) this.#listeners.delete(one);
    }
  }
}

function speaksIn(level: Level, console: string): boolean {
  return level.roster.some((entry) => entry.id === console && outOfScope(level, entry).length === 0);
}

function add(one: Listener, happened: Happened): void {
  if (one.waiting.length >= limits.notice_lines_max) one.left += 1;
  else one.waiting.push(happened);
}
