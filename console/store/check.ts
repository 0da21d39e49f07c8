import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Op } from './port.js';

/** What every store refuses before it touches anything. */
export function checkWrite(ops: readonly Op[]): Result<true> {
  const keys = new Set<string>();
  let bytes = 0;
  for (const op of ops) {
    if (op.key.length === 0 || Buffer.byteLength(op.key) > limits.store_key_bytes_max)
      return refuse('bad-input', `a key has 1 to ${limits.store_key_bytes_max} bytes`);
    if (keys.has(op.key)) return refuse('bad-input', `${op.key} stands twice in one write`);
    keys.add(op.key);
    bytes += op.type === 'put' ? op.value.length : 0;
  }
  if (bytes > limits.store_write_bytes_max)
    return refuse('too-large', `${bytes} bytes in one write, at most ${limits.store_write_bytes_max}`);
  return ok(true);
}
