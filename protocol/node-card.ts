import { publicKeyFromJwk, type PublicKey } from '../crypto/rsa.js';
import { digestText, idText, nameText, publicJwk } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

const url = text({
  max: 300,
  pattern: /^wss?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/,
  form: 'ws://HOST:PORT or wss://HOST:PORT',
});

/** A way to a node: straight, or through a gateway that the node dialled. */
export const wayForm = object({
  via: oneOf('direct', 'gateway'),
  url,
  /** SHA-256 of the public key in the TLS certificate that stands there. */
  pin: optional(digestText),
});
export type Way = Parsed<typeof wayForm>;

/**
 * What a console needs to know to speak to one level of one node: all of it public. A node writes the card of its first
 * level at `init`; the landlord's console writes those of the levels below when it hands over a lease.
 */
export const nodeCardForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('node-card'),
  name: nameText,
  /** The identity key N, with which the node signs. */
  identity: publicJwk,
  /** Where the node keeps its keys; what it signs with keys in a file says so. */
  keyStore: oneOf('tpm', 'file'),
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  lease: idText,
  /** The U of that level. */
  key: publicJwk,
  ways: list(wayForm, { max: 8 }),
});
export type NodeCard = Parsed<typeof nodeCardForm>;

export function parseNodeCard(content: string | Uint8Array): Result<NodeCard> {
  const json = parseJson(content);
  return json.ok ? nodeCardForm(json.value, '') : json;
}

/** The thumbprint of N: what a node is called wherever it must not be mistaken. */
export function identityOf(card: NodeCard): Result<PublicKey> {
  const key = publicKeyFromJwk(card.identity);
  return key ? ok(key) : refuse('weak-key', 'the identity key of the card');
}

export function levelKeyOf(card: NodeCard): Result<PublicKey> {
  const key = publicKeyFromJwk(card.key);
  return key ? ok(key) : refuse('weak-key', 'the level key of the card');
}
