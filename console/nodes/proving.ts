import { randomBytes } from 'node:crypto';
import { toB64u } from '../../crypto/bytes.js';
import { verifyBlindness, type BlindnessProof } from '../../protocol/blindness.js';
import type { Command } from '../../protocol/commands.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import type { Reply } from '../../protocol/reply.js';
import { ok, type Result } from '../../protocol/result.js';

interface Asked {
  readonly proof: string;
  readonly checked: BlindnessProof;
}

/** Asks a node for the proof of blindness, with a nonce of our own, and checks it with the N of its card. */
export async function askBlindness(
  card: NodeCard,
  request: (command: Command) => Promise<Result<Reply>>,
): Promise<Result<Asked>> {
  const identity = identityOf(card);
  if (!identity.ok) return identity;
  const nonce = toB64u(randomBytes(32));
  const reply = await request({ type: 'keys.blindness', nonce });
  if (!reply.ok) return reply;
  const said = reply.value.result?.['proof'];
  const proof = typeof said === 'string' ? said : '';
  const checked = await verifyBlindness(proof, identity.value, { nonce, lease: card.lease });
  return checked.ok ? ok({ proof, checked: checked.value }) : checked;
}

/** What it proves, in plain words. */
export function wordsOf({ result, keys = [], keyStore }: BlindnessProof): readonly string[] {
  const said =
    result === 'no-key'
      ? 'no-key: your level has no K, so whoever holds the keys above opens your data; make one with keys.make'
      : keys.length === 1
        ? 'proved: your K alone opens your data, and nothing opens it without it; the landlord has no K of its own'
        : `proved: only the ${keys.length} keys together open your data; every smaller choice of them was tried and failed`;
  return [
    said,
    ...(keyStore === 'file'
      ? [
          'note: this node keeps its keys in a file; whoever has its disk can sign such a proof and has the keys',
        ]
      : []),
  ];
}
