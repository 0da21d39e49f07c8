import { publicKeyFromJwk, type PublicKey } from '../../crypto/rsa.js';
import type { Signer } from '../../crypto/signer.js';
import { readHeader, signBy, utf8, verify } from '../../crypto/jose.js';
import { bytesText, digestText } from '../fields.js';
import { parseJson } from '../json.js';
import { object, oneOf, optional, whole } from '../parse.js';
import { ok, refuse, type Result } from '../result.js';
import { gatewayRoles, type GatewayRole, type Proof } from './frames.js';

export const gatewayProofTyp = 'bm-gateway+jws';

const claimsForm = object({
  v: whole({ min: 1, max: 1 }),
  role: oneOf(...gatewayRoles),
  /** The nonce of the challenge, so that a proof serves one connection only. */
  nonce: bytesText(32),
  /** The key in the TLS certificate that the dialler saw, so that a proof made for one server is of no use at another. */
  server: optional(digestText),
});

/** Who dials a gateway proves its key: a node its identity key N, a console its own. */
export async function makeProof(
  signer: Signer,
  role: GatewayRole,
  nonce: string,
  server: string | undefined,
): Promise<Proof> {
  const claims = { v: 1, role, nonce, ...(server === undefined ? {} : { server }) };
  const header = { typ: gatewayProofTyp, kid: signer.public.id };
  const jws = await signBy(signer, header, utf8(JSON.stringify(claims)));
  return { v: 1, role, key: signer.public.jwk, jws };
}

export async function checkProof(
  proof: Proof,
  nonce: string,
  server: string | undefined,
): Promise<Result<PublicKey>> {
  const key = publicKeyFromJwk(proof.key);
  if (!key) return refuse('weak-key');
  const header = readHeader('signed', proof.jws, gatewayProofTyp);
  if (header?.kid !== key.id) return refuse('bad-signature', 'the proof names another key');
  const payload = await verify(key.key, proof.jws);
  if (!payload) return refuse('bad-signature');
  const json = parseJson(payload);
  const claims = json.ok ? claimsForm(json.value, '') : json;
  if (!claims.ok) return claims;
  if (claims.value.nonce !== nonce) return refuse('replayed', 'the proof was made for another connection');
  if (claims.value.server !== server) return refuse('wrong-pin', 'the proof was made for another server');
  if (claims.value.role !== proof.role) return refuse('bad-signature', 'the proof is for another role');
  return ok(key);
}
