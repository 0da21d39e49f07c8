import { spawn } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of the machine, below a root, so that recorded trees can be read the same way. */
export class MachineFiles {
  constructor(private readonly root: string = '/') {}

  async text(path: string): Promise<string | undefined> {
    return (await readFile(join(this.root, path), 'utf8').catch(() => undefined))?.trim();
  }

  /** Undefined as well when what is there is no number. */
  async number(path: string): Promise<number | undefined> {
    const text = await this.text(path);
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  /** As the SCSI layer writes its counters: 0x1f. */
  async hexadecimal(path: string): Promise<number | undefined> {
    const text = await this.text(path);
    return text !== undefined && /^0x[0-9a-f]+$/i.test(text) ? Number(text) : undefined;
  }

  async bytes(path: string): Promise<Uint8Array | undefined> {
    return readFile(join(this.root, path)).catch(() => undefined);
  }

  async names(path: string): Promise<readonly string[] | undefined> {
    return readdir(join(this.root, path)).catch(() => undefined);
  }

  async has(path: string): Promise<boolean> {
    return access(join(this.root, path)).then(
      () => true,
      () => false,
    );
  }
}

/** What a tool wrote, or undefined if it is not there or failed. */
export function said(program: string, ...words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, words, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => (out = (out + data).slice(0, 65_536)));
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve(code === 0 ? out.trim() : undefined));
  });
}
