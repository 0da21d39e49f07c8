import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top folder of the repository: this file is compiled to dist/scripts/run/. */
export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
