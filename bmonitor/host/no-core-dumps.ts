import { writeFileSync } from 'node:fs';

/** Whatever makes this process crash, the kernel puts none of its memory into a core file. Children inherit it. */
export function withoutCoreDumps(): void {
  writeFileSync('/proc/self/coredump_filter', '0');
}
