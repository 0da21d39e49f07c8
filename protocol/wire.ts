import { parseJson } from './json.js';
import { bytesText, digestText, idText } from './fields.js';
import { limits } from './limits.js';
import { object, optional, text, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

/**
 * A WebSocket message. Text messages are a letter with the version, and what follows:
 *
 *   H1                       console → node: asks for a hello
 *   H1 {json}                node → console: the hello
 *   R1 <length> <envelope>   console → node: a request
 *   P1 <length> <envelope>   node → console: the reply
 *   U1 <length> <envelope>   node → console: a notice that was not asked for
 *   S1 <length> <envelope>   node → console: this level was handed to somebody else; proof of it, sealed to a console
 *   E1 {json}                node → console: refused before it could be read; not sealed, so a hint only
 *
 * Binary messages are frames of streams. The length, in characters, tells a message that was cut from one that was altered.
 */
const helloMembers = object({
  v: whole({ min: 1, max: 1 }),
  /** Thumbprint of the node's identity key N. */
  node: digestText,
  boot: idText,
  nonce: bytesText(limits.nonce_bytes),
  time: whole({ min: 0, max: 32_503_680_000 }),
});

/** Not signed: a false hello only leads to requests that the node refuses. */
export type Hello = Parsed<typeof helloMembers>;

const hintMembers = object({
  code: text({ max: 64 }),
  detail: optional(text({ min: 0, max: 500 })),
  /** Digest of the request that is refused, when it could be told. */
  re: optional(digestText),
  /** After how many seconds it makes sense to come back. */
  retryAfter: optional(whole({ min: 0, max: 86_400 })),
});
export type Hint = Parsed<typeof hintMembers>;

export type WireMessage =
  | { readonly kind: 'hello-asked' }
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'request' | 'reply' | 'notice' | 'sold'; readonly envelope: string }
  | { readonly kind: 'hint'; readonly hint: Hint };

const letters = { R1: 'request', P1: 'reply', U1: 'notice', S1: 'sold' } as const;

export function formatHello(hello?: Hello): string {
  return hello ? `H1 ${JSON.stringify(hello)}` : 'H1';
}

export function formatEnvelope(letter: keyof typeof letters, envelope: string): string {
  return `${letter} ${envelope.length} ${envelope}`;
}

export function formatHint(hint: Hint): string {
  return `E1 ${JSON.stringify(hint)}`;
}

export function parseWire(message: string): Result<WireMessage> {
  if (message === 'H1') return ok({ kind: 'hello-asked' });
  const letter = message.slice(0, 2);
  if (message.charAt(2) !== ' ') return refuse('malformed', 'no known kind of message');
  const rest = message.slice(3);
  switch (letter) {
    case 'H1': {
      const hello = jsonOf(rest, helloMembers);
      return hello.ok ? ok({ kind: 'hello', hello: hello.value }) : hello;
    }
    case 'E1': {
      const hint = jsonOf(rest, hintMembers);
      return hint.ok ? ok({ kind: 'hint', hint: hint.value }) : hint;
    }
    case 'R1':
    case 'P1':
    case 'U1':
    case 'S1': {
      const envelope = lengthChecked(rest);
      return envelope.ok ? ok({ kind: letters[letter], envelope: envelope.value }) : envelope;
    }
    default:
      return refuse('malformed', 'no known kind of message');
  }
}

function jsonOf<T>(rest: string, parse: (value: unknown, where: string) => Result<T>): Result<T> {
  if (rest.length > 4096) return refuse('malformed', 'a hello or hint is shorter');
  const json = parseJson(rest);
  return json.ok ? parse(json.value, '') : json;
}

function lengthChecked(rest: string): Result<string> {
  const space = rest.indexOf(' ');
  const length = rest.slice(0, Math.max(space, 0));
  if (!/^[1-9][0-9]{0,8}$/.test(length)) return refuse('malformed', 'no length');
  const envelope = rest.slice(space + 1);
  return envelope.length === Number(length)
    ? ok(envelope)
    : refuse('cut', `${envelope.length} characters of ${length}`);
}
