import { bytesText, digestText, nameText, publicJwk } from '../fields.js';
import { hardwareForm } from '../hardware.js';
import { parseJson } from '../json.js';
import { limits } from '../limits.js';
import { nodeCardForm, wayForm } from '../node-card.js';
import { list, object, optional, text, whole, type Parse, type Parsed } from '../parse.js';
import { refuse, type Result } from '../result.js';

/**
 * What a machine without a landlord and a console say to each other, each message one JSON text:
 *
 *   hello     machine → console   its commitment, and what it says of itself
 *   commit    console → machine   its commitment, once somebody began the comparison there
 *   reveal    machine → console, then console → machine: the key and nonce that were committed to
 *   accepted  console → machine   the machine's code was typed at the console; signed by the console's key
 *   adopted   machine → console   the console's code was typed at the machine; the card, signed by the revealed key
 *   done      console → machine   the node is in
 *   refused   either way, and the connection ends
 */
const one = whole({ min: 1, max: 1 });
const jws = text({ max: limits.pairing_statement_chars_max });
export const forms = {
  hello: object({
    v: one,
    commit: digestText,
    name: nameText,
    version: text({ max: 64 }),
    hardware: hardwareForm,
  }),
  commit: object({ commit: digestText }),
  reveal: object({ key: publicJwk, nonce: bytesText(32) }),
  accepted: object({ jws }),
  adopted: object({ jws }),
  done: object({}),
  refused: object({ code: text({ max: 64 }), detail: optional(text({ min: 0, max: 500 })) }),
} as const;
export type PairingKind = keyof typeof forms;
export type PairingBody<K extends PairingKind> = Parsed<(typeof forms)[K]>;
export type Hello = PairingBody<'hello'>;

export const acceptedTyp = 'bm-pairing-accepted+jws';
export const adoptedTyp = 'bm-pairing-adopted+jws';

/** Signed by the console's key. */
export const acceptedClaims = object({
  v: one,
  /** Over both keys and nonces, so that a statement serves one pairing only. */
  transcript: digestText,
  /** What the console is called. */
  console: nameText,
  /** What the node shall be called. */
  name: nameText,
  /** Where the node dials from now on, with the pin that it could not know before. */
  gateways: list(wayForm, { max: 8 }),
});
export type AcceptedClaims = Parsed<typeof acceptedClaims>;

/** Signed by the key that the machine revealed, which the code vouches for. */
export const adoptedClaims = object({
  v: one,
  transcript: digestText,
  card: nodeCardForm,
  hardware: hardwareForm,
});
export type AdoptedClaims = Parsed<typeof adoptedClaims>;

/** Its own form is known once the kind is. */
const anything: Parse<unknown> = (value) => ({ ok: true, value });

const envelope = object({
  type: text({ max: 16 }),
  body: anything,
});

export function formatPairing<K extends PairingKind>(type: K, body: PairingBody<K>): string {
  return JSON.stringify({ type, body });
}

/** The message, if it is one of this kind; what the other side refused is given as its refusal. */
export function parsePairing(
  content: string,
): Result<{ readonly type: PairingKind; readonly body: unknown }> {
  const json = parseJson(content);
  if (!json.ok) return json;
  const read = envelope(json.value, '');
  if (!read.ok) return read;
  const type = (Object.keys(forms) as PairingKind[]).find((kind) => kind === read.value.type);
  if (type === undefined) return refuse('malformed', 'no known message of a pairing');
  const body = (forms[type] as Parse<unknown>)(read.value.body, type);
  return body.ok ? { ok: true, value: { type, body: body.value } } : body;
}
