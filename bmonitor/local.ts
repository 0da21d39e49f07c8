import { readLocalStatus, statusSocketOf } from './host/local-status.js';
import type { Result } from '../protocol/result.js';

/** What the command line asks on the machine itself, of its daemon or of the system, without becoming the daemon. */

/** What the daemon of a folder says of itself. */
export function localStatus(folder: string): Promise<Result<string>> {
  return readLocalStatus(statusSocketOf(folder));
}

export { askForImport } from './host/engines/local-import.js';

/** What `bmonitor doctor` judges. */
export { readMachine } from './host/health/readings.js';
