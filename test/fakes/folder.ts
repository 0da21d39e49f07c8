import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder that is made when it is first asked for: what a file of tests names, and no test uses, leaves nothing behind. */
export class TemporaryFolder {
  #path: string | undefined;

  constructor(private readonly kind: string) {}

  get path(): string {
    return (this.#path ??= mkdtempSync(join(tmpdir(), `bmonitor-${this.kind}-`)));
  }

  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { recursive: true, force: true });
    this.#path = undefined;
  }
}
