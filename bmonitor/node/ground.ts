import { missesDuringChanges, oldKernelWarning } from '../ports/kernel-version.js';
import type { MachineFacts } from './answers.js';
import type { ConsoleWays } from './state.js';

/** Said wherever the keys rest in a file. */
const fileKeysWarning =
  'the secrets of this node rest in a file: whoever copies its disk can become this node';

/** What the levels' data, and their filters, stand on. */
export function groundFacts({ keyStore, directories, kernelRelease }: MachineFacts): {
  readonly files: string;
  readonly kernel: string;
  readonly warnings: readonly string[];
} {
  const none = typeof directories === 'object' ? directories : undefined;
  return {
    kernel: kernelRelease,
    files: none ? 'none' : typeof directories === 'string' ? directories : 'unknown',
    warnings: [
      ...(keyStore === 'file' ? [fileKeysWarning] : []),
      ...(missesDuringChanges(kernelRelease) ? [oldKernelWarning(kernelRelease)] : []),
      ...(none ? [`this node takes no files of levels: ${none.detail ?? none.code}`] : []),
    ],
  };
}

/** From where the landlord's consoles reach the node, as it commanded. */
export function waysFacts({ consoles, waiting }: ConsoleWays): Readonly<Record<string, unknown>> {
  return { consoles, ...(waiting ? { pending: { undoAt: waiting.undoAt_s } } : {}) };
}
