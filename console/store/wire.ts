import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import {
  flag,
  list,
  object,
  oneOf,
  optional,
  text,
  whole,
  type Parse,
  type Parsed,
} from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Change, Entry, Op } from './port.js';

/** What consoles and a store service say to each other: JSON in text frames, values in base64url. */

const key = text({ min: 0, max: limits.store_key_bytes_max });
const revision = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const number = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const value: Parse<Uint8Array> = (given, where) => {
  const bytes = typeof given === 'string' ? fromB64u(given) : undefined;
  return bytes ? ok(bytes) : refuse('bad-input', 'must be base64url', { where });
};

const entryForm = object({ key, value, revision });
const conditionForm = object({ key, revision });
const opForm = object({ type: oneOf('put', 'delete'), key, value: optional(value) });

export const helloForm = object({ v: whole({ min: 1, max: 1 }), token: text({ max: 100 }) });
export const welcomeForm = object({ v: whole({ min: 1, max: 1 }) });

const question = object({
  id: number,
  get: optional(key),
  range: optional(
    object({
      prefix: key,
      after: optional(key),
      reverse: optional(flag),
      limit: optional(whole({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    }),
  ),
  write: optional(
    object({
      ops: list(opForm, { max: limits.store_write_ops_max }),
      conditions: list(conditionForm, { max: limits.store_write_ops_max }),
    }),
  ),
  watch: optional(object({ prefix: key, after: revision })),
  unwatch: optional(number),
});
export type Question = Parsed<typeof question>;

const answer = object({
  id: optional(number),
  entry: optional(entryForm),
  page: optional(
    object({ entries: list(entryForm, { max: limits.store_range_entries_max }), revision, more: flag }),
  ),
  revision: optional(revision),
  refused: optional(object({ code: text({ max: 64 }), detail: optional(text({ min: 0, max: 4000 })) })),
  /** Unasked: what a watch saw, or that it ended. */
  watch: optional(number),
  changes: optional(
    list(object({ type: oneOf('put', 'delete'), key, revision, value: optional(value) }), {
      max: limits.store_write_ops_max,
    }),
  ),
  lost: optional(flag),
});
export type Answer = Parsed<typeof answer>;

function read<T>(form: Parse<T>, frame: string): Result<T> {
  const json = parseJson(Buffer.from(frame));
  return json.ok ? form(json.value, 'frame') : json;
}

export const readQuestion = (frame: string): Result<Question> => read(question, frame);
export const readAnswer = (frame: string): Result<Answer> => read(answer, frame);
export const readHello = (frame: string): Result<Parsed<typeof helloForm>> => read(helloForm, frame);
export const readWelcome = (frame: string): Result<Parsed<typeof welcomeForm>> => read(welcomeForm, frame);

/** Bytes have no form of their own in JSON; a Buffer would bring one that is not ours, so the replacer looks at what it was before. */
export function frameOf(message: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(message, function (this: Readonly<Record<string, unknown>>, name, read: unknown) {
    const one = this[name];
    return one instanceof Uint8Array ? toB64u(one) : read;
  });
}

export function opsOf(ops: readonly Parsed<typeof opForm>[]): Result<readonly Op[]> {
  const read: Op[] = [];
  for (const { type, key, value } of ops) {
    if (type === 'delete') read.push({ type, key });
    else if (value) read.push({ type, key, value });
    else return refuse('bad-input', 'what is put has a value', { where: key });
  }
  return ok(read);
}

export function changesIn(changes: NonNullable<Answer['changes']>): Change[] {
  return changes.map(({ type, key, revision, value }) =>
    type === 'put'
      ? { type, entry: { key, revision, value: value ?? new Uint8Array() } }
      : { type, key, revision },
  );
}

export function changesOut(changes: readonly Change[]): readonly (Partial<Entry> & { type: string })[] {
  return changes.map((change) => (change.type === 'put' ? { type: 'put', ...change.entry } : { ...change }));
}
