import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { publicKeyFromPem, rsaBits, type PublicKey } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { verifies, type Signer } from '../../crypto/signer.js';
import { verifyQuote, type Quote } from '../../protocol/quote.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { flushObjects, pcrList, withSession } from './tpm-session.js';
import { contentOf, fileAt, scratchFile, type TpmTools } from './tpm-tools.js';

/** N as it rests outside of the TPM: wrapped, so that only the TPM that made it can load it. */
export interface IdentityBlobs {
  readonly public: string;
  readonly private: string;
}

/** Signs, cannot decrypt, was made in this TPM and never leaves it, and is used only under the policy. */
const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|sign|noda';

/** Makes N. Many TPMs have no RSA key above 2048 bits: then it is as large as they have. */
export async function makeIdentity(
  tools: TpmTools,
  saltKey: string,
  policy: FileHandle,
  bits: number,
): Promise<Result<IdentityBlobs>> {
  const made = await createKey(tools, saltKey, policy, bits);
  return made.ok || bits === rsaBits.min ? made : createKey(tools, saltKey, policy, rsaBits.min);
}

async function createKey(
  tools: TpmTools,
  saltKey: string,
  policy: FileHandle,
  bits: number,
): Promise<Result<IdentityBlobs>> {
  const [publicFile, privateFile] = [await scratchFile(), await scratchFile()];
  try {
    const made = await withSession(tools, saltKey, 'plain', (session) =>
      tools.run(
        'tpm2_create',
        `-Q -C ${saltKey} -S ${fileAt(0)} -L ${fileAt(1)} -G rsa${bits}:rsapss-sha256:null -g sha256 -a ${attributes} -u ${fileAt(2)} -r ${fileAt(3)}`.split(
          ' ',
        ),
        { files: [session, policy, publicFile, privateFile] },
      ),
    );
    if (!made.ok) return made;
    return ok({
      public: toB64u(await contentOf(publicFile)),
      private: toB64u(await contentOf(privateFile)),
    });
  } finally {
    await flushObjects(tools);
    await publicFile.close();
    await privateFile.close();
  }
}

/** Lends a session that has shown how the machine was measured. */
type UseSession = <T>(work: (session: FileHandle) => Promise<Result<T>>) => Promise<Result<T>>;

/**
 * N inside the TPM. Each signature is a command of the TPM: some tens of milliseconds with its session.
 *
 * INVARIANTS:
 * - One signature at a time, and never between the steps of another use of the TPM (`TpmTools.inTurn`).
 * - A signature that does not verify is not given out.
 */
export class TpmSigner implements Signer {
  readonly public: PublicKey;
  readonly #tools: TpmTools;
  readonly #use: UseSession;
  /** The loaded key as the TPM saved it, in memory: good until the TPM starts anew. */
  readonly #context: Uint8Array;

  private constructor(tools: TpmTools, use: UseSession, key: PublicKey, context: Uint8Array) {
    this.#tools = tools;
    this.#use = use;
    this.public = key;
    this.#context = context;
  }

  /** Within a turn at the TPM. */
  static async load(
    tools: TpmTools,
    saltKey: string,
    blobs: IdentityBlobs,
    use: UseSession,
  ): Promise<Result<TpmSigner>> {
    const loaded = await loadKey(tools, saltKey, blobs);
    if (!loaded.ok) return loaded;
    return ok(new TpmSigner(tools, use, loaded.value.key, loaded.value.context));
  }

  async signature(message: Uint8Array): Promise<Uint8Array> {
    const signed = await this.#tools.inTurn(() => this.trySignature(message));
    if (!signed.ok) throw new Error(`the TPM did not sign: ${signed.refusal.detail ?? ''}`);
    return signed.value;
  }

  /** The TPM's own word on its registers, signed by N inside of it: N signs it only as what it is. */
  async quote(pcrs: readonly number[], about: Uint8Array): Promise<Result<Quote>> {
    const quoted = await this.#tools.inTurn(() => this.#tryQuote(pcrs, about));
    if (!quoted.ok) return quoted;
    const checked = verifyQuote(quoted.value, this.public, about);
    return checked.ok ? quoted : refuse('tpm-failed', `its quote does not hold: ${checked.refusal.code}`);
  }

  async #tryQuote(pcrs: readonly number[], about: Uint8Array): Promise<Result<Quote>> {
    const [context, attested, signature] = [await scratchFile(), await scratchFile(), await scratchFile()];
    try {
      await context.write(this.#context, 0, this.#context.length, 0);
      const qualified = Buffer.from(about).toString('hex');
      const words = [
        '-Q',
        '-c',
        fileAt(1),
        '-p',
        `session:${fileAt(0)}`,
        '-l',
        pcrList(pcrs),
        '-g',
        'sha256',
      ];
      const out = ['-q', qualified, '-m', fileAt(2), '-s', fileAt(3), '-f', 'plain', '--scheme', 'rsapss'];
      const done = await this.#use((session) =>
        this.#tools.run('tpm2_quote', [...words, ...out], { files: [session, context, attested, signature] }),
      );
      this.#tools.leaveObject();
      if (!done.ok) return done;
      return ok({
        attested: toB64u(await contentOf(attested)),
        signature: toB64u(await contentOf(signature)),
      });
    } finally {
      for (const file of [context, attested, signature]) await file.close();
    }
  }

  /** Within a turn at the TPM. */
  async trySignature(message: Uint8Array): Promise<Result<Uint8Array>> {
    const digest = createHash('sha256').update(message).digest();
    const [context, output] = [await scratchFile(), await scratchFile()];
    try {
      await context.write(this.#context, 0, this.#context.length, 0);
      const done = await this.#use((session) =>
        this.#tools.run(
          'tpm2_sign',
          `-Q -c ${fileAt(1)} -p session:${fileAt(0)} -g sha256 -s rsapss -d -f plain -o ${fileAt(2)}`.split(
            ' ',
          ),
          { files: [session, context, output], stdin: Secret.take(digest) },
        ),
      );
      this.#tools.leaveObject();
      if (!done.ok) return done;
      const signature = await contentOf(output);
      return verifies(this.public.key, message, signature)
        ? ok(signature)
        : refuse('tpm-failed', 'its signature is not as PS256 wants it');
    } finally {
      await context.close();
      await output.close();
    }
  }
}

async function loadKey(
  tools: TpmTools,
  saltKey: string,
  blobs: IdentityBlobs,
): Promise<Result<{ readonly key: PublicKey; readonly context: Uint8Array }>> {
  const files = [await scratchFile(), await scratchFile(), await scratchFile(), await scratchFile()] as const;
  const [publicFile, privateFile, pem, context] = files;
  try {
    await publicFile.write(fromB64u(blobs.public) ?? new Uint8Array(), 0);
    await privateFile.write(fromB64u(blobs.private) ?? new Uint8Array(), 0);
    const loaded = await tools.run(
      'tpm2_load',
      ['-Q', '-C', saltKey, '-u', fileAt(0), '-r', fileAt(1), '-c', fileAt(2)],
      { files: [publicFile, privateFile, context] },
    );
    await flushObjects(tools);
    if (!loaded.ok) return loaded;
    const args = ['-Q', '-c', fileAt(0), '-f', 'pem', '-o', fileAt(1)];
    const read = await tools.run('tpm2_readpublic', args, { files: [context, pem] });
    await flushObjects(tools);
    if (!read.ok) return read;
    const key = publicKeyFromPem((await contentOf(pem)).toString());
    return key
      ? ok({ key, context: await contentOf(context) })
      : refuse('tpm-not-the-same', 'N is no RSA key of a size we use');
  } finally {
    for (const file of files) await file.close();
  }
}
