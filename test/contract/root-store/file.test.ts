import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { rootStoreContract } from './contract.js';

rootStoreContract('in a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bmonitor-root-'));
  return {
    open: () => new FileRootStore(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
