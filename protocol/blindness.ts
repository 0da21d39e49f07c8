import { isCanonical, readHeader, verify } from '../crypto/jose.js';
import type { PublicKey } from '../crypto/rsa.js';
import { bytesText, digestText, idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { flag, list, object, oneOf, optional, whole, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

export const blindnessTyp = 'bm-blindness+jws';

const keyIds = list(idText, { max: limits.levels_max });

/** What N signs: the asker's nonce, the ids of the keys, and what each choice of them opened. */
const proofForm = object({
  v: whole({ min: 1, max: 1 }),
  kind: oneOf('blindness'),
  node: digestText,
  keyStore: oneOf('tpm', 'file'),
  nonce: bytesText(32),
  time: whole({ min: 0, max: 32_503_680_000 }),
  lease: idText,
  result: oneOf('tried', 'no-key'),
  keys: optional(keyIds),
  trials: optional(list(object({ with: keyIds, opens: flag }), { max: 2 ** limits.levels_max })),
});
export type BlindnessProof = Parsed<typeof proofForm>;

/**
 * Checks a proof with the N that the reader pinned and the nonce it chose: every choice of the keys was tried, no proper subset opened the
 * data, and all together did. `no-key` is signed too, and proves that there is nothing to be blind with.
 */
export async function verifyBlindness(
  jws: string,
  identity: PublicKey,
  asked: { readonly nonce: string; readonly lease: string },
): Promise<Result<BlindnessProof>> {
  const header = readHeader('signed', jws, blindnessTyp);
  if (!header || !isCanonical(jws)) return refuse('malformed', 'not a proof of blindness');
  const payload = header.kid === identity.id ? await verify(identity.key, jws) : undefined;
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  const proof = json.ok ? proofForm(json.value, '') : json;
  if (!proof.ok) return proof;
  const { node, nonce, lease } = proof.value;
  if (node !== identity.id) return refuse('bad-signature', 'it names another node');
  if (nonce !== asked.nonce) return refuse('replayed', 'it was made for another question');
  if (lease !== asked.lease) return refuse('wrong-lease', 'it is about another lease');
  return proof.value.result === 'no-key' || provesBlindness(proof.value)
    ? ok(proof.value)
    : refuse('not-blind');
}

function provesBlindness({ keys = [], trials = [] }: BlindnessProof): boolean {
  if (keys.length === 0 || new Set(keys).size !== keys.length) return false;
  const tried = new Map(trials.map((trial) => [[...trial.with].sort().join(), trial.opens]));
  if (tried.size !== 2 ** keys.length || trials.length !== tried.size) return false;
  for (let choice = 0; choice < 2 ** keys.length; choice += 1) {
    const chosen = keys.filter((_, at) => (choice >> at) & 1);
    if (tried.get([...chosen].sort().join()) !== (chosen.length === keys.length)) return false;
  }
  return true;
}
