import { errorEntry, type ErrorCode } from '../../protocol/errors/index.js';
import type { Refusal } from '../../protocol/result.js';

/** The HTTP status of a refusal. What is not listed is the caller's input: 400. */
const statuses: Partial<Record<ErrorCode, number>> = {
  'not-authenticated': 401,
  'boundary-refused': 409,
  'boundary-drifted': 409,
  'in-another-cluster': 409,
  'wrong-second-factor': 401,
  'wrong-password': 403,
  'account-locked': 429,
  'not-permitted': 403,
  'cross-site': 403,
  'wrong-host': 421,
  'not-found': 404,
  'no-such-route': 404,
  'already-there': 409,
  'store-conflict': 409,
  'owned-by-another': 409,
  'standing-by': 503,
  'store-away': 503,
  'too-large': 413,
  'too-many': 429,
  internal: 500,
  'store-compacted': 410,
  'store-write-failed': 507,
  'store-unreadable': 503,
};

export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 400;
}

/** The one form of an error in the API. */
export function errorBody(refusal: Refusal): { readonly error: Readonly<Record<string, unknown>> } {
  const entry = errorEntry(refusal.code);
  return { error: { ...refusal, what: entry.what, why: entry.why, todo: entry.todo } };
}
