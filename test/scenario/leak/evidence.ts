import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { piecesOfKey, piecesOfPair, type Piece } from './search.js';

const run = promisify(execFile);
const recorder = fileURLToPath(new URL('recorder.js', import.meta.url));

/** For the environment of a process: whatever secret it makes is written down in a file that is not on the disk in question. */
export function recording(file: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${recorder}`, BMONITOR_TEST_SECRETS: file };
}

/** Words before a program, by which what it and its children start is written down in a folder. */
export function traced(folder: string): readonly string[] {
  const what = ['-s', '262144', '-e', 'trace=execve,execveat', '-o', join(folder, 'trace')];
  return ['strace', '-D', '-f', '-ff', '-qq', '-v', '-xx', '--seccomp-bpf', ...what];
}

/** A whole disk: a file system of its own in a file, so that what was deleted is searched too. */
export class Disk {
  constructor(
    readonly folder: string,
    readonly size_mb = 384,
  ) {}

  get image(): string {
    return join(this.folder, 'disk.img');
  }

  get mount(): string {
    return join(this.folder, 'disk');
  }

  async make(): Promise<void> {
    await run('fallocate', ['-l', String(this.size_mb * 1024 * 1024), this.image]);
    await run('mkfs.ext4', ['-q', '-F', '-E', 'nodiscard', this.image]);
    await mkdir(this.mount);
    await run('mount', ['-o', 'loop,nodiscard', this.image, this.mount]);
  }

  async content(): Promise<Buffer> {
    await this.unmount();
    return readFile(this.image);
  }

  async unmount(): Promise<void> {
    await run('umount', ['-R', this.mount]).catch(() => {});
  }
}

/** What strace wrote of the programs that were started: their arguments and environment, of which it prints every byte in hexadecimal. */
export async function started(
  folder: string,
): Promise<{ readonly programs: readonly string[]; readonly bytes: Buffer }> {
  const programs: string[] = [];
  const parts: Buffer[] = [];
  for (const file of (await readdir(folder)).filter((name) => name.startsWith('trace'))) {
    const text = await readFile(join(folder, file), 'utf8');
    expect(text, 'nothing was cut short').to.not.match(/"\.\.\./);
    for (const line of text.split('\n').filter((one) => one.includes('execve'))) {
      const strings = [...line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) =>
        Buffer.from(hex.replaceAll('\\x', ''), 'hex'),
      );
      programs.push(strings[0]?.toString().split('/').at(-1) ?? '');
      parts.push(...strings.flatMap((one) => [one, Buffer.from('\n')]));
    }
  }
  return { programs, bytes: Buffer.concat(parts) };
}

export async function recorded(file: string): Promise<readonly Piece[]> {
  const lines = new Set((await readFile(file, 'utf8')).trim().split('\n'));
  return [...lines].flatMap((line, at) => {
    const [kind = '', hex = ''] = line.split(' ');
    const bytes = Buffer.from(hex, 'hex');
    return kind === 'pair' ? piecesOfPair(`pair ${at}`, bytes) : piecesOfKey(`key ${at}`, bytes);
  });
}
