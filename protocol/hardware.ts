import { limits } from './limits.js';
import { list, object, optional, text, whole, type Parsed } from './parse.js';

const label = text({ min: 0, max: 128 });
const bytes = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });

/** What a node says of the machine it runs on. Its word alone: nothing is decided by it. */
export const hardwareForm = object({
  cpu: object({ model: label, threads: whole({ min: 1, max: 65_536 }) }),
  memory_bytes: bytes,
  disks: list(object({ name: label, bytes, model: optional(label) }), { max: limits.hardware_parts_max }),
  nics: list(object({ name: label, mac: label, mbit: optional(whole({ min: 0, max: 10_000_000 })) }), {
    max: limits.hardware_parts_max,
  }),
});
export type Hardware = Parsed<typeof hardwareForm>;
