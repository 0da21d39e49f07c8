import type { Answer } from '../../protocol/question.js';
import { newId, type HistoryHead } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';

/** What became of the questions that were asked of one node, since the console runs. */
export interface Questions {
  readonly right: number;
  /** Right, but not within its time. */
  readonly late: number;
  readonly wrong: number;
  /** Nothing came. */
  readonly none: number;
  /** How long the last right answer took. */
  readonly took_ms?: number;
}

/** Of whom the answers must be. */
export interface Asked {
  readonly node: string;
  readonly lease: string;
  /** An answer that takes longer is late. */
  readonly within_ms: number;
}

/**
 * The questions that a console asks of a node over a stream that is open anyway, one at a time, and what it holds against the answers.
 *
 * INVARIANTS:
 * - Each question ends once: right, late, wrong, or without an answer.
 * - An answer is right only if it names the nonce that was asked for last, the node and the lease that were meant, and agrees with what that node
 *   said before: the same start, a history and a count of events that have not gone back.
 */
export class Questioner {
  readonly #about: Asked;
  #waiting: { readonly nonce: string; readonly at: number } | undefined;
  #counts: Questions = { right: 0, late: 0, wrong: 0, none: 0 };
  #head: HistoryHead | undefined;
  /** When the node that answers on this connection started. */
  #started: unknown;

  constructor(about: Asked) {
    this.#about = about;
  }

  get counts(): Questions {
    return this.#counts;
  }

  /** Since when an answer is waited for. */
  get since(): number | undefined {
    return this.#waiting?.at;
  }

  /** The nonce of a new question. The one before must have ended. */
  ask(now: number): string {
    const nonce = newId();
    this.#waiting = { nonce, at: now };
    return nonce;
  }

  /** A new connection: what was asked on the old one has no answer any more, and the node may have started anew. */
  renew(): void {
    if (this.#waiting) this.#count('none');
    this.#waiting = undefined;
    this.#started = undefined;
  }

  /** `lastEvent`: the number of the last event that the node told. Gives how long the answer took. */
  judge(answer: Answer, lastEvent: number | undefined, now: number): Result<number> {
    const wrong = this.#faultOf(answer, lastEvent);
    if (wrong !== undefined) {
      this.#count('wrong');
      // What is waited for is still waited for: a wrong answer to something else ends nothing.
      if (answer.answer === this.#waiting?.nonce) this.#waiting = undefined;
      return refuse('wrong-answer', wrong);
    }
    const took_ms = now - (this.#waiting?.at ?? now);
    this.#waiting = undefined;
    this.#head = answer.head;
    this.#started = answer.status['started'];
    this.#count(took_ms > this.#about.within_ms ? 'late' : 'right');
    this.#counts = { ...this.#counts, took_ms };
    return ok(took_ms);
  }

  /** What it said under its seal is not of the protocol at all. */
  rubbish(): Refusal {
    this.#count('wrong');
    return { code: 'wrong-answer', detail: 'what it says is not of the protocol' };
  }

  #faultOf({ answer, head, status }: Answer, lastEvent: number | undefined): string | undefined {
    const { node, lease } = this.#about;
    if (answer !== this.#waiting?.nonce) return 'it answers a question that was not asked';
    if (status['node'] !== node) return 'it says that it is another node';
    if (status['lease'] !== lease) return 'it is of another lease';
    if (this.#started !== undefined && status['started'] !== this.#started)
      return 'it started at another time than it said on this connection';
    const before = this.#head;
    if (before && head.seq < before.seq)
      return `its history went back from entry ${before.seq} to ${head.seq}`;
    if (before && head.seq === before.seq && head.digest !== before.digest)
      return `entry ${head.seq} of its history is another one`;
    const next = status['nextEvent'];
    if (typeof next !== 'number' || next <= (lastEvent ?? 0))
      return `it told event ${lastEvent ?? 0} and does not know of it`;
    return undefined;
  }

  #count(outcome: 'right' | 'late' | 'wrong' | 'none'): void {
    this.#counts = { ...this.#counts, [outcome]: this.#counts[outcome] + 1 };
  }
}
