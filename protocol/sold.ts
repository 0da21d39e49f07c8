import { isCanonical, openWith, readHeader, sealTo, utf8 } from '../crypto/jose.js';
import { thumbprint, type Pair, type PublicJwk, type PublicKey } from '../crypto/rsa.js';
import { publicJwk } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { list, object, text, whole, type Parsed } from './parse.js';
import { verifyReceipt, type Receipt } from './receipt.js';
import { ok, refuse, type Result } from './result.js';

/**
 * What a node says to whoever asks under the pair of a landlord that handed it on: the receipts that it signed of that, and the U of the
 * landlord that there is now. It is sealed to the console that handed the node on and to that of the new landlord, and to nobody else.
 */
const soldTyp = 'bm-sold+jwe';

const soldForm = object({
  v: whole({ min: 1, max: 1 }),
  receipts: list(text({ max: limits.receipt_chars_max }), { max: limits.levels_max + 1 }),
  key: publicJwk,
});

export function sealSold(to: PublicKey, proof: Parsed<typeof soldForm>): Promise<string> {
  return sealTo(to.key, { typ: soldTyp, kid: to.id }, utf8(JSON.stringify(proof)));
}

/** A node that changed hands, as its identity key vouches for it. */
export interface Sold {
  /** The lease and the U of the new landlord. */
  readonly lease: string;
  readonly key: PublicJwk;
  /** Thumbprint of the new landlord's first console. */
  readonly holder: string;
  readonly time: number;
  readonly receipts: readonly string[];
}

/** Believed is only what N has signed: that the level of this lease ended, that another holder came, and that this U is that holder's. */
export async function openSold(
  pair: Pair,
  identity: PublicKey,
  envelope: string,
  lease: string,
): Promise<Result<Sold>> {
  if (envelope.length > limits.sold_chars_max) return refuse('too-large');
  const header = readHeader('sealed-to', envelope, soldTyp);
  if (!header || !isCanonical(envelope)) return refuse('malformed', 'not a sealed proof of a sale');
  if (header.kid !== pair.public.id) return refuse('wrong-console', `sealed to ${header.kid}`);
  const plaintext = openWith(pair.private, envelope);
  if (!plaintext) return refuse('cannot-open');
  const json = parseJson(plaintext);
  const proof = json.ok ? soldForm(json.value, '') : json;
  return proof.ok ? soldIn(identity, proof.value, lease) : proof;
}

/** The same of receipts and a key that came by another way. */
export async function soldIn(
  identity: PublicKey,
  { receipts, key }: { readonly receipts: readonly string[]; readonly key: PublicJwk },
  lease: string,
): Promise<Result<Sold>> {
  const said: Receipt[] = [];
  for (const jws of receipts) {
    const receipt = await verifyReceipt(jws, identity);
    if (!receipt.ok) return receipt;
    said.push(receipt.value);
  }
  const transfer = said.find(({ act }) => act === 'transfer');
  const end = said.find((one) => one.act === 'end' && one.level === 0 && one.lease === lease);
  if (!transfer || transfer.holder === undefined || end?.generation !== transfer.generation)
    return refuse('wrong-lease', 'it is not about this lease');
  const id = thumbprint(key);
  if (!transfer.made.some((made) => made.kind === 'pair' && made.id === id))
    return refuse('bad-signature', 'the node signed for another key');
  const { holder, time } = transfer;
  return ok({ lease: transfer.lease, key, holder, time, receipts });
}
