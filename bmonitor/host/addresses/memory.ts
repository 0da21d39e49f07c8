import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { AddressMemory } from '../../ports/address-link.js';

/** A hint for the next start, no more: lost or altered, it costs one question to the server. So it is not synced. */
export function addressFile(path: string): AddressMemory {
  return {
    async read() {
      const content = (await readFile(path, 'utf8').catch(() => '')).trim();
      return isIPv4(content) ? content : undefined;
    },
    async write(address) {
      if (address === undefined) return rm(path, { force: true });
      await writeFile(`${path}.new`, `${address}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}
