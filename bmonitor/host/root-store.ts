import type { RootStore } from '../ports/root-store.js';
import { ownRegister } from './measured.js';
import { FileRootStore } from './root-store-file.js';
import { TpmRootStore } from './root-store-tpm.js';

/**
 * Firmware, its options, boot loader, secure boot; kernel, initrd and command line as GRUB and systemd's stub measure them; and in the last
 * one BMonitor itself, as the package's part of the initrd measures it. Not 11: what systemd's stub measures there stands in 4 as well, and
 * systemd goes on writing to it while it starts.
 */
const pcrsNormal = [0, 2, 4, 7, 8, 9, 12, ownRegister] as const;

export interface KeysConfig {
  readonly keys?: {
    readonly store: 'tpm' | 'file';
    readonly tcti?: string;
    readonly pcrs?: readonly number[];
  };
}

/** Where the root of all secrets rests, as the configuration says. */
export function rootStoreOf(folder: string, { keys }: KeysConfig): RootStore {
  if (keys?.store !== 'tpm') return new FileRootStore(folder);
  return new TpmRootStore(folder, {
    tcti: keys.tcti ?? 'device:/dev/tpmrm0',
    pcrs: keys.pcrs ?? pcrsNormal,
  });
}
