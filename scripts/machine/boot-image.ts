import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine } from './recipe.js';

const stub = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';

/** Kernel, initrd and command line in one image, which the firmware measures as a whole, and systemd's stub in its parts. */
export function bootImage(system: string, out: string, more = ''): void {
  const boot = join(system, 'boot');
  const named = (start: string): string => {
    const found = readdirSync(boot).find((name) => name.startsWith(start));
    if (found === undefined) throw new Error(`the system has no ${start}`);
    return join(boot, found);
  };
  const folder = mkdtempSync(join(tmpdir(), 'bmonitor-boot-'));
  try {
    const line = join(folder, 'cmdline');
    writeFileSync(line, `${commandLine} ${more}`.trim());
    // Each section behind the one before, with room for a kernel of 32 MB.
    const sections: readonly (readonly [string, string, number])[] = [
      ['.osrel', join(system, 'etc/os-release'), 0x2_0000],
      ['.cmdline', line, 0x3_0000],
      ['.linux', named('vmlinuz-'), 0x200_0000],
      ['.initrd', named('initrd.img-'), 0x400_0000],
    ];
    const words = sections.flatMap(([name, file, at]) => [
      '--add-section',
      `${name}=${file}`,
      '--change-section-vma',
      `${name}=0x${at.toString(16)}`,
    ]);
    execFileSync('objcopy', [...words, stub, out]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
