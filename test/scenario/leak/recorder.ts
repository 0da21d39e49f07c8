// Loaded into every process of a node before its own code (node --import): writes down each secret at the moment it is made, to a file outside
// of the node's disk. So secrets that were destroyed long before the search are searched for too. No code of the product knows of it.
import crypto, { type KeyObject } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { promisify } from 'node:util';
import { Secret } from '../../../crypto/secret.js';

const file = process.env['BMONITOR_TEST_SECRETS'];

function record(kind: 'key' | 'pair', bytes: Uint8Array): void {
  if (file !== undefined) appendFileSync(file, `${kind} ${Buffer.from(bytes).toString('hex')}\n`);
}

// Every key, share and token passes here. What has another length is a bundle of keys that passed by themselves, or what a tool printed.
const take = Secret.take.bind(Secret);
Secret.take = (bytes: Uint8Array): Secret => {
  if (bytes.length === 32) record('key', bytes);
  return take(bytes);
};

// Pairs that never leave memory, such as that of one start of the node, are made here.
const generate = promisify(crypto.generateKeyPair) as (
  ...args: unknown[]
) => Promise<{ privateKey: KeyObject }>;
const recording = Object.assign(
  (...args: Parameters<typeof crypto.generateKeyPair>) => crypto.generateKeyPair(...args),
  {
    [promisify.custom]: async (...args: unknown[]) => {
      const pair = await generate(...args);
      record('pair', pair.privateKey.export({ type: 'pkcs8', format: 'der' }));
      return pair;
    },
  },
);
crypto.generateKeyPair = recording as unknown as typeof crypto.generateKeyPair;
syncBuiltinESMExports();
