import { readFile } from 'node:fs/promises';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { FirewallProgram } from '../../ports/firewall.js';
import { wholeText, withoutLatch } from '../../ports/firewall-text.js';
import { writeWhole } from '../write-whole.js';

/**
 * What the machine enforces from boot until BMonitor has read its own state: a file that a unit before the network loads.
 * It is replaced whole, synced, and only when it differs.
 */
export async function writeBootFile(file: string, program: FirewallProgram): Promise<Result<void>> {
  const text = wholeText(withoutLatch(program), 1);
  try {
    const before = await readFile(file, 'utf8').catch(() => '');
    if (before !== text) await writeWhole(file, Buffer.from(text));
    return ok(undefined);
  } catch (error) {
    return refuse('boot-file-failed', messageOf(error));
  }
}
