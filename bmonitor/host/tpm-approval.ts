import { createECDH, createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { derive } from '../../crypto/derive.js';
import type { Secret } from '../../crypto/secret.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { policyInIndex, policySigned } from './tpm-policy.js';
import { flushObjects, withSession, type TpmPlace } from './tpm-session.js';
import { contentOf, fileAt, scratchFile, type TpmTools } from './tpm-tools.js';

/**
 * The index that holds the policy in force. Every secret requires what stands in it, so that one write changes at once under which
 * measurement all of them are given. It is written only with a signature over the nonce of the session, by a key that is made
 * from the root: so only a BMonitor that was given the root can change it, not even the owner of the TPM.
 */
export class ApprovalIndex {
  readonly #tools: TpmTools;
  readonly #saltKey: string;
  readonly #writer: KeyObject;

  constructor(tools: TpmTools, saltKey: string, root: Secret) {
    this.#tools = tools;
    this.#saltKey = saltKey;
    this.#writer = writerFrom(root);
  }

  /** Makes the index at a free handle. */
  async define(
    firstFree: (take: (at: string) => Promise<Result<Secret>>) => Promise<Result<string>>,
  ): Promise<Result<string>> {
    return this.#withWriter(async (writer) => {
      const [name, policy] = [await scratchFile(), await scratchFile()];
      try {
        const args = ['-Q', '-c', fileAt(0), '-n', fileAt(1)];
        const named = await this.#tools.run('tpm2_readpublic', args, { files: [writer, name] });
        await flushObjects(this.#tools);
        if (!named.ok) return named;
        const required = policySigned(await contentOf(name));
        await policy.write(required, 0, required.length, 0);
        const attributes = 'policywrite|authread|no_da';
        return await firstFree((at) =>
          this.#tools.run(
            'tpm2_nvdefine',
            ['-Q', at, '-C', 'o', '-s', '34', '-L', fileAt(0), '-a', attributes],
            { files: [policy] },
          ),
        );
      } finally {
        await name.close();
        await policy.close();
      }
    });
  }

  /** One write command of the TPM, which is whole or not at all. */
  async write(index: string, policy: Uint8Array): Promise<Result<void>> {
    const written = await this.#withWriter((writer) =>
      withSession(this.#tools, this.#saltKey, 'policy', async (session) => {
        const [asked, answer, content] = [await scratchFile(), await scratchFile(), await scratchFile()];
        try {
          const way = ['-Q', '-S', fileAt(0), '-g', 'sha256', '-x', '-c', fileAt(1)];
          const files = [session, writer, asked, answer];
          const told = await this.#tools.run('tpm2_policysigned', [...way, '--raw-data', fileAt(2)], {
            files,
          });
          await flushObjects(this.#tools);
          if (!told.ok) return told;
          const signature = sign('sha256', await contentOf(asked), this.#writer);
          await answer.write(signature, 0, signature.length, 0);
          const given = await this.#tools.run('tpm2_policysigned', [...way, '-s', fileAt(3), '-f', 'ecdsa'], {
            files,
          });
          await flushObjects(this.#tools);
          if (!given.ok) return given;
          const bytes = policyInIndex(policy);
          await content.write(bytes, 0, bytes.length, 0);
          const args = ['-Q', index, '-C', index, '-P', `session:${fileAt(0)}`, '-i', fileAt(1)];
          return await this.#tools.run('tpm2_nvwrite', args, { files: [session, content] });
        } finally {
          for (const file of [asked, answer, content]) await file.close();
        }
      }),
    );
    return written.ok ? ok(undefined) : written;
  }

  async #withWriter<T>(
    work: (writer: Awaited<ReturnType<typeof scratchFile>>) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const [pem, context] = [await scratchFile(), await scratchFile()];
    try {
      const text = createPublicKey(this.#writer).export({ type: 'spki', format: 'pem' }).toString();
      await pem.write(text, 0);
      const args = ['-Q', '-C', 'o', '-G', 'ecc', '-u', fileAt(0), '-c', fileAt(1)];
      const loaded = await this.#tools.run('tpm2_loadexternal', args, { files: [pem, context] });
      await flushObjects(this.#tools);
      return loaded.ok ? await work(context) : loaded;
    } finally {
      await pem.close();
      await context.close();
    }
  }
}

/** The policy that stands in the index, for which nothing need be shown. */
export async function policyIn(
  tools: TpmTools,
  { approval: index, saltKey }: Pick<TpmPlace, 'approval' | 'saltKey'>,
): Promise<Result<Buffer>> {
  const read = await withSession(tools, saltKey, 'plain', (session) =>
    tools.run('tpm2_nvread', [index, '-C', index, '-P', `session:${fileAt(0)}`, '-s', '34'], {
      files: [session],
    }),
  );
  if (!read.ok) return read;
  const content = read.value.use((bytes) => Buffer.from(bytes));
  const head = policyInIndex(Buffer.alloc(0));
  return content.length === 34 && content.subarray(0, 2).equals(head)
    ? ok(content.subarray(2))
    : refuse('tpm-not-the-same', `${index} holds no policy`);
}

/** A pair on P-256 that needs no place of its own. A number that is none of the curve's is as rare as a guessed key, and is passed over. */
function writerFrom(root: Secret): KeyObject {
  for (let round = 0; round < 8; round += 1) {
    const secret = derive(root, Buffer.from([round]), 'bmonitor approval writer v1');
    const ecdh = createECDH('prime256v1');
    try {
      const d = secret.use((bytes) => Buffer.from(bytes));
      ecdh.setPrivateKey(d);
      const point = ecdh.getPublicKey();
      const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'));
      if (x === undefined || y === undefined) throw new Error('a point has two coordinates');
      const key = { kty: 'EC', crv: 'P-256', x, y, d: d.toString('base64url') };
      d.fill(0);
      return createPrivateKey({ key, format: 'jwk' });
    } catch {
      continue;
    } finally {
      secret.wipe();
    }
  }
  throw new Error('eight digests in a row were no number of the curve');
}

/** The digest over the values of the registers: what the levels approve. */
export function measurementOf(registers: Uint8Array): Buffer {
  return createHash('sha256').update(registers).digest();
}
