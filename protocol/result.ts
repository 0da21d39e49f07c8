import type { ErrorCode } from './errors/index.js';

/**
 * What the world may do wrong is a value, never an exception. `throw` is kept for our own bugs.
 *
 * `detail` is a sentence for a person, `where` the place in the input (`filters[3].ports[0]`), `data` what a program
 * may want to act on (a witness, an expected version). None of them ever holds a secret.
 */
export interface Refusal {
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly where?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
}

export type Result<T> = Ok<T> | Refused;

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function refuse(
  code: ErrorCode,
  detail?: string,
  more: { where?: string; data?: Readonly<Record<string, unknown>> } = {},
): Refused {
  return { ok: false, refusal: { code, ...(detail === undefined ? {} : { detail }), ...more } };
}
