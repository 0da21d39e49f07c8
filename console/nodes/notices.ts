import type { Pair } from '../../crypto/rsa.js';
import { limits } from '../../protocol/limits.js';
import { openNotice, type Notice } from '../../protocol/notice.js';
import type { Addressee } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Clocks, Noticed } from './session.js';

/** The first requests of a connection, one of which was the first good one: the node names it in its notices. */
const asked_max = limits.requests_per_channel_max * limits.notice_listeners_per_channel_max;

/**
 * What the node says unasked on one connection.
 *
 * INVARIANTS:
 * - A notice is handed on only when the pinned N signed it, for this console, for a request that was made on this very connection, and with a
 *   higher number than the one before. So a notice of another connection, of an earlier one, or one that comes twice, is refused by itself, without
 *   any clock and without a memory that must outlive the console.
 * - Whoever carries the connection cannot make the console use its private key more than so often in a minute.
 */
export class NoticeReader {
  readonly #pair: Pair;
  readonly #noticed: Noticed;
  readonly #clocks: Clocks;
  readonly #asked = new Map<string, Addressee>();
  /** The last number of each lease. */
  readonly #last = new Map<string, number>();
  #opened: number[] = [];

  constructor(pair: Pair, noticed: Noticed, clocks: Clocks) {
    this.#pair = pair;
    this.#noticed = noticed;
    this.#clocks = clocks;
  }

  asked(digest: string, to: Addressee): void {
    if (this.#asked.size < asked_max) this.#asked.set(digest, to);
  }

  /** A request that came to nothing leaves room for one that does, until a notice shows which one counted. */
  refused(digest: string): void {
    if (this.#last.size === 0) this.#asked.delete(digest);
  }

  async take(envelope: string): Promise<void> {
    const now = this.#clocks.steady();
    this.#opened = this.#opened.filter((at) => now - at < 60_000);
    if (this.#opened.length >= limits.notices_opened_per_minute_max) return;
    this.#opened.push(now);
    const opened = await openNotice(this.#pair, this.#noticed.identity, envelope);
    this.#noticed.take(opened.ok ? this.#judge(opened.value) : opened);
  }

  #judge(notice: Notice): Result<Notice> {
    const to = this.#asked.get(notice.on);
    if (!to) return refuse('replayed', 'the notice is of another connection');
    if (to.lease !== notice.lease || to.level !== notice.level)
      return refuse('wrong-lease', `of the lease ${notice.lease}`);
    const last = this.#last.get(notice.lease) ?? 0;
    if (notice.seq <= last) return refuse('replayed', `notice ${notice.seq} after ${last}`);
    this.#last.set(notice.lease, notice.seq);
    // What was withheld on the way is counted with what there was no room for.
    return ok({ ...notice, left: notice.left + (notice.seq - last - 1) });
  }
}
