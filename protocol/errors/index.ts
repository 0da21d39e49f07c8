import type { ErrorEntry } from './entry.js';
import { addressErrors } from './addresses.js';
import { consoleErrors } from './console.js';
import { engineErrors } from './engines.js';
import { filterErrors } from './filters.js';
import { firewallErrors } from './firewall.js';
import { gatewayErrors } from './gateway.js';
import { generalErrors } from './general.js';
import { storeErrors } from './store.js';
import { messageErrors } from './messages.js';
import { authorityErrors } from './authority.js';
import { nodeErrors } from './node.js';
import { historyErrors } from './history.js';
import { keyErrors } from './keys.js';
import { pairingErrors } from './pairing.js';
import { dataErrors } from './data.js';

/**
 * The catalogue of coded errors. Codes are stable: programs act on them. docs/errors.md lists them, and a test checks
 * in both directions that every code is used in the sources and that every code used is here.
 */
export const errorCatalogue = {
  ...generalErrors,
  ...gatewayErrors,
  ...filterErrors,
  ...firewallErrors,
  ...storeErrors,
  ...consoleErrors,
  ...messageErrors,
  ...authorityErrors,
  ...nodeErrors,
  ...historyErrors,
  ...keyErrors,
  ...dataErrors,
  ...addressErrors,
  ...engineErrors,
  ...pairingErrors,
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export function errorEntry(code: ErrorCode): ErrorEntry {
  return errorCatalogue[code];
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}
