import { publicKeyFromJwk, type PublicJwk } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import { sealSecret } from '../../../protocol/engine-secrets.js';
import type { Commanded } from '../firewall/commanded.js';

/** A secret as the tenant's console seals it for this start of the node. */
export async function sealedFor(node: Commanded, name: string, secret: string | Buffer): Promise<string> {
  const { statement } = (await node.must(1, { type: 'keys.boot' })) as { statement: string };
  const said = JSON.parse(Buffer.from(statement.split('.')[1] ?? '', 'base64url').toString()) as {
    key: PublicJwk;
  };
  const key = publicKeyFromJwk(said.key);
  if (!key) throw new Error('the node said a key');
  return sealSecret(key, { lease: node.lease, name }, Secret.take(Buffer.from(secret)));
}
