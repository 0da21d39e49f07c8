import { randomBytes } from 'node:crypto';
import { openBox, sealBox } from '../../../crypto/box.js';
import { derive } from '../../../crypto/derive.js';
import type { Secret } from '../../../crypto/secret.js';
import { engineName } from '../../../protocol/engines.js';
import { nameText } from '../../../protocol/fields.js';
import { parseJson } from '../../../protocol/json.js';
import { limits } from '../../../protocol/limits.js';
import { object, oneOf, optional, text, whole, type Parse, type Parsed } from '../../../protocol/parse.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';

/** How messages between engines travel: a byte that says whether it is sealed, and JSON. Unsealed ones stay on their node (decision 0038). */
const id = text({ min: 16, max: 16, pattern: /^[A-Za-z0-9_-]+$/, form: 'an id' });
const said = object({
  v: whole({ min: 1, max: 1 }),
  id,
  at_ms: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  from: engineName,
  node: nameText,
  to: engineName,
  text: text({ min: 0, max: limits.engine_words_chars_max }),
});
export type Message = Parsed<typeof said>;

const answerForm = object({
  v: whole({ min: 1, max: 1 }),
  id,
  outcome: oneOf('taken', 'nobody', 'refused', 'full'),
  detail: optional(text({ max: 200 })),
});
export type MessageAnswer = Parsed<typeof answerForm>;

const [open, sealed] = [0, 1];
const context = { message: 'bm engine message 1', answer: 'bm engine answer 1' } as const;

export function newMessage(words: Pick<Message, 'from' | 'node' | 'to' | 'text'>, at_ms: number): Message {
  return { v: 1, id: randomBytes(12).toString('base64url'), at_ms, ...words };
}

/** What engines of several nodes share, made into a key for this use alone. */
export function messageKey(secret: Secret): Secret {
  return derive(secret, Buffer.alloc(0), 'bm engine messages');
}

export function packMessage(message: Message, key: Secret | undefined): Buffer {
  return pack(message, key, context.message);
}

/** Also says whether it was sealed. */
export function unpackMessage(
  bytes: Buffer,
  key: Secret | undefined,
): Result<{ readonly message: Message; readonly sealed: boolean }> {
  const message = unpack(said, bytes, key, context.message);
  return message.ok ? ok({ message: message.value, sealed: bytes[0] === sealed }) : message;
}

/** An answer belongs to its message, and to no other. */
export function packAnswer(answer: MessageAnswer, key: Secret | undefined): Buffer {
  return pack(answer, key, context.answer);
}

export function unpackAnswer(bytes: Buffer, key: Secret | undefined, to: Message): Result<MessageAnswer> {
  const answer = unpack(answerForm, bytes, key, context.answer);
  if (!answer.ok) return answer;
  // Who sealed the question hears only what is sealed.
  if (answer.value.id !== to.id || (bytes[0] === sealed) !== (key !== undefined)) return refuse('malformed');
  return answer;
}

function pack(words: object, key: Secret | undefined, place: string): Buffer {
  const bytes = Buffer.from(JSON.stringify(words));
  return key
    ? Buffer.concat([Buffer.from([sealed]), sealBox(key, place, bytes)])
    : Buffer.concat([Buffer.from([open]), bytes]);
}

function unpack<T>(form: Parse<T>, bytes: Buffer, key: Secret | undefined, place: string): Result<T> {
  if (bytes.length > limits.engine_message_bytes_max + 64) return refuse('too-large');
  const rest = bytes.subarray(1);
  const kind = bytes[0];
  if (kind === sealed && !key) return refuse('cannot-open', 'it is sealed, and there is no key for it here');
  const plain = kind === sealed && key ? openBox(key, place, rest) : kind === open ? rest : undefined;
  if (!plain) return refuse('cannot-open');
  const json = parseJson(plain);
  return json.ok ? form(json.value, '') : json;
}

/** Which sealed messages came already, for as long as one could come again. */
export class SeenMessages {
  readonly #until = new Map<string, number>();

  /** False: it came before, is too old, or so many came that nobody could tell. */
  takes({ id: of, at_ms }: Message, now_ms: number): boolean {
    if (Math.abs(now_ms - at_ms) > limits.engine_message_age_ms_max) return false;
    for (const [known, until_ms] of this.#until) {
      if (until_ms > now_ms && this.#until.size < limits.engine_message_ids_max) break;
      if (until_ms > now_ms) return false;
      this.#until.delete(known);
    }
    if (this.#until.has(of)) return false;
    this.#until.set(of, now_ms + 2 * limits.engine_message_age_ms_max);
    return true;
  }
}
