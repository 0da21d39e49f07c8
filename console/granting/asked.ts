import { receiptTexts } from '../nodes/receipts.js';
import { digestText, idText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, oneOf, whole } from '../../protocol/parse.js';
import type { Lease } from './record.js';

/** What a node answers to `lease.grant`. */
const granted = {
  lease: idText,
  level: whole({ min: 1, max: limits.levels_max - 1 }),
  pair: object({ id: digestText, jwk: publicJwk }),
  receipts: receiptTexts,
};
export const grantedForm = object(granted);
/** And to a new pair for a level below: one lease has ended, with all below it, and another stands in its place. */
export const replacedForm = object({
  ...granted,
  ended: list(idText, { max: limits.levels_max }),
  reason: oneOf('ended'),
});

/** The answers after which nothing is known, so the same command is sent again. */
export const unanswered: ReadonlySet<string> = new Set([
  'unreachable',
  'node-silent',
  'stale',
  'nonce-stale',
  'wrong-boot',
  'too-many',
]);

/** The command that replaces the pair of a level below. */
export function rotationOf({ level = 1, destroys = [] }: Lease) {
  return { type: 'keys.rotate', level, key: true, data: 'destroy', destroys } as const;
}
