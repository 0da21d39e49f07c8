import type { MessageChannel } from '../../protocol/channel.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Tries the ways in their order and keeps the first that opens. */
export async function firstOf(
  ways: readonly (() => Promise<Result<MessageChannel>>)[],
): Promise<Result<MessageChannel>> {
  let last: Result<MessageChannel> = refuse('unreachable', 'no address is known');
  for (const way of ways) {
    last = await way();
    if (last.ok) return ok(last.value);
  }
  return last;
}
