import { limits } from '../../protocol/limits.js';

/**
 * Which messages came already: by the envelope, which is known before it is opened, and by the statement in it, which somebody who reads a
 * history could seal again. Only messages of enrolled consoles are remembered, so that strangers cannot fill the memory; each is
 * kept as long as it could pass for fresh, by both of the node's clocks. When it is full, new messages are refused: forgetting an old
 * one would let it act again.
 */
export class Seen {
  readonly #messages = new Map<string, { readonly at_ms: number; readonly exp_s: number }>();

  has(digest: string): boolean {
    return this.#messages.has(digest);
  }

  /** False when there is no room. */
  add(
    digests: readonly string[],
    exp_s: number,
    now: { readonly sinceBoot_ms: number; readonly now_s: number },
  ): boolean {
    const most = limits.seen_messages_max - digests.length;
    if (this.#messages.size > most) this.#forget(now);
    if (this.#messages.size > most) return false;
    for (const digest of digests) this.#messages.set(digest, { at_ms: now.sinceBoot_ms, exp_s });
    return true;
  }

  /** They stand in the order in which they came. A wall clock that was set back keeps a message fresh for longer. */
  #forget(now: { readonly sinceBoot_ms: number; readonly now_s: number }): void {
    for (const [digest, { at_ms, exp_s }] of this.#messages) {
      if (now.sinceBoot_ms - at_ms < limits.nonce_age_ms_max * 2 || now.now_s <= exp_s) return;
      this.#messages.delete(digest);
    }
  }
}
