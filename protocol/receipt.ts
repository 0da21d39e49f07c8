import { readHeader, verify, isCanonical } from '../crypto/jose.js';
import type { PublicKey } from '../crypto/rsa.js';
import { digestText, idText, nameText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

export const receiptTyp = 'bm-receipt+jws';

/** What a receipt is about: a lease that was granted, taken, extended or ended, a node that changed hands, or keys that changed. */
export const receiptActs = ['grant', 'take', 'extend', 'end', 'transfer', 'keys'] as const;
export type ReceiptAct = (typeof receiptActs)[number];

/**
 * Why a lease ended: by a command, by itself when its time had passed by the machine's own clock, or by itself after a step of the wall clock that the
 * landlord's console confirmed and the machine's own clock did not.
 */
export const endReasons = ['ended', 'expired', 'clock-forced'] as const;
export type EndReason = (typeof endReasons)[number];

/** A key by its name: the thumbprint of a pair, the id of a symmetric key, the lease of a data key. The salt has no name. */
const keyName = object({
  kind: oneOf('pair', 'symmetric', 'data', 'salt'),
  id: optional(text({ max: 64, pattern: /^[A-Za-z0-9_-]+$/, form: 'the id of a key' })),
});
export type KeyName = Parsed<typeof keyName>;
const keyNames = list(keyName, { max: 64 });
const seconds = whole({ min: 0, max: 32_503_680_000 });
const levelNumber = whole({ min: 0, max: limits.levels_max - 1 });

/** What the node's identity key signs. */
export const receiptForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('receipt'),
  act: oneOf(...receiptActs),
  /** Thumbprint of the identity key N, and where its private half rests: with a file, whoever had the disk could have signed. */
  node: digestText,
  keyStore: oneOf('tpm', 'file'),
  name: nameText,
  /** The number of the state that the change led to: receipts of one node are ordered by it. */
  generation: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  time: seconds,
  level: levelNumber,
  lease: idText,
  /** The command, with who gave it and the digest of the signed statement; absent: the node did it by itself. */
  by: optional(
    object({
      level: levelNumber,
      console: digestText,
      command: text({ max: 64 }),
      jti: idText,
      statement: digestText,
    }),
  ),
  reason: optional(oneOf(...endReasons)),
  until: optional(seconds),
  /** Of a transfer: the thumbprint of the first console of the new holder. */
  holder: optional(digestText),
  made: keyNames,
  destroyed: keyNames,
});
export type Receipt = Parsed<typeof receiptForm>;

/** Checks a receipt with the identity key that the reader pinned, never with one that came along. */
export async function verifyReceipt(jws: string, identity: PublicKey): Promise<Result<Receipt>> {
  const header = readHeader('signed', jws, receiptTyp);
  if (!header || !isCanonical(jws)) return refuse('malformed', 'not a receipt of a node');
  if (header.kid !== identity.id) return refuse('wrong-node', `signed by the node ${header.kid}`);
  const payload = await verify(identity.key, jws);
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  if (!json.ok) return json;
  const receipt = receiptForm(json.value, '');
  if (!receipt.ok) return receipt;
  return receipt.value.node === identity.id
    ? receipt
    : refuse('bad-signature', 'the receipt names another node');
}

/** The receipts in a file: one a line, or the reply of `receipts.read`, or a list. */
export function receiptsIn(content: string): Result<readonly string[]> {
  const trimmed = content.trim();
  if (!trimmed.startsWith('{') && !trimmed.startsWith('['))
    return ok(
      trimmed
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean),
    );
  const json = parseJson(trimmed);
  if (!json.ok) return json;
  const found = Array.isArray(json.value) ? json.value : (json.value as { receipts?: unknown }).receipts;
  const parsed = list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_kept_max })(
    found,
    'receipts',
  );
  return parsed;
}
