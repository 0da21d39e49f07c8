import { limits } from '../../protocol/limits.js';

/**
 * Which messages came already. Only messages of enrolled consoles are remembered, so that strangers cannot fill the memory; each is kept by the
 * machine's own clock as long as it could pass for fresh. When it is full, new messages are refused: forgetting an old one would
 * let it act again.
 */
export class Seen {
  readonly #at_ms = new Map<string, number>();

  has(digest: string): boolean {
    return this.#at_ms.has(digest);
  }

  /** False when there is no room. */
  add(digest: string, now_ms: number): boolean {
    if (this.#at_ms.size >= limits.seen_messages_max) this.#forget(now_ms);
    if (this.#at_ms.size >= limits.seen_messages_max) return false;
    this.#at_ms.set(digest, now_ms);
    return true;
  }

  /** They stand in the order in which they came. */
  #forget(now_ms: number): void {
    for (const [digest, at] of this.#at_ms) {
      if (now_ms - at < keep_ms) return;
      this.#at_ms.delete(digest);
    }
  }
}

const keep_ms =
  1000 * (limits.request_life_s_max + 2 * limits.clock_ahead_s_max) + 2 * limits.nonce_age_ms_max;
