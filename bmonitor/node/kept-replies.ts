import { limits } from '../../protocol/limits.js';
import { replyName, replyNameIn } from './places.js';
import type { RecordedReply } from './recorded.js';

/** Which replies are kept of each lease, the oldest first: a command that never came before is not looked for on the disk. */
export class KeptReplies {
  readonly #names = new Map<string, Set<string>>();

  has(lease: string, console: string, jti: string): boolean {
    return this.#names.get(lease)?.has(replyName(console, jti)) === true;
  }

  /** One more has to make room on the disk for the next. */
  isFull(lease: string): boolean {
    return (this.#names.get(lease)?.size ?? 0) >= limits.replies_kept_max;
  }

  add({ lease, console, jti }: Pick<RecordedReply, 'lease' | 'console' | 'jti'>): void {
    this.#add(lease, replyName(console, jti));
  }

  /** As its place in the order says, which is found at a start. */
  found(order: string, target: Uint8Array): void {
    this.#add(order.split('/')[1] ?? '', replyNameIn(Buffer.from(target).toString('utf8')));
  }

  forgetAllBut(leases: ReadonlySet<string>): void {
    for (const lease of this.#names.keys()) if (!leases.has(lease)) this.#names.delete(lease);
  }

  #add(lease: string, name: string): void {
    const names = this.#names.get(lease) ?? new Set();
    this.#names.set(lease, names.add(name));
    const [oldest] = names;
    if (names.size > limits.replies_kept_max && oldest !== undefined) names.delete(oldest);
  }
}
