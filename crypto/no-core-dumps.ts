import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Whatever makes this process crash, the kernel puts none of its memory into a core file. Children inherit both: the filter, by which a core would
 * hold no memory, and a limit of one byte, by which none is written, and none is piped to a program either (a limit of 0 does not stop that).
 */
export function withoutCoreDumps(): void {
  writeFileSync('/proc/self/coredump_filter', '0');
  spawnSync('prlimit', ['--core=1:1', '--pid', String(process.pid)], { stdio: 'ignore' });
  // Where the limit was lower already it cannot be raised, and need not be.
  const [, limit] = /^Max core file size\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (limit !== '0' && limit !== '1')
    throw new Error(`core files of ${limit ?? 'any'} bytes cannot be forbidden`);
}
