import type { FileHandle } from 'node:fs/promises';
import { ok, type Result } from '../../protocol/result.js';
import { contentOf, fileAt, scratchFile, type TpmTools } from './tpm-tools.js';

/** The key in the TPM to which the salt of every session is encrypted, and the registers that every object is bound to. */
export interface TpmPlace {
  readonly saltKey: string;
  readonly pcrs: readonly number[];
}

/** As tpm2-tools name a choice of registers. */
export function pcrList(pcrs: readonly number[]): string {
  return `sha256:${pcrs.join(',')}`;
}

/**
 * A salted session that encrypts what goes over the bus. `policy`: it also shows that the machine was measured as it was when the object was
 * made; `plain`: for making objects, which needs no proof.
 */
export async function withSession<T>(
  tools: TpmTools,
  place: TpmPlace,
  kind: 'policy' | 'plain',
  work: (session: FileHandle) => Promise<Result<T>>,
): Promise<Result<T>> {
  const session = await scratchFile();
  const files = [session];
  try {
    const way = kind === 'policy' ? '--policy-session' : '--hmac-session';
    const started = await tools.run(
      'tpm2_startauthsession',
      [way, '--tpmkey-context', place.saltKey, '-S', fileAt(0)],
      { files },
    );
    if (!started.ok) return started;
    try {
      const made = await tools.run(
        'tpm2_sessionconfig',
        [fileAt(0), '--enable-encrypt', '--enable-decrypt'],
        { files },
      );
      if (!made.ok) return made;
      if (kind === 'policy') {
        const measured = await tools.run(
          'tpm2_policypcr',
          ['-Q', '-S', fileAt(0), '-l', pcrList(place.pcrs)],
          {
            files,
          },
        );
        if (!measured.ok) return measured;
      }
      return await work(session);
    } finally {
      await tools.run('tpm2_flushcontext', [fileAt(0)], { files });
    }
  } finally {
    await session.close();
  }
}

/** The digest of the policy that the registers stand as they stand now. */
export async function policyNow(tools: TpmTools, pcrs: readonly number[]): Promise<Result<Buffer>> {
  const session = await scratchFile();
  const policy = await scratchFile();
  const files = [session, policy];
  try {
    const started = await tools.run('tpm2_startauthsession', ['-S', fileAt(0)], { files });
    if (!started.ok) return started;
    const args = ['-Q', '-S', fileAt(0), '-l', pcrList(pcrs), '-L', fileAt(1)];
    const said = await tools.run('tpm2_policypcr', args, { files });
    await tools.run('tpm2_flushcontext', [fileAt(0)], { files });
    return said.ok ? ok(await contentOf(policy)) : said;
  } finally {
    await session.close();
    await policy.close();
  }
}

/** Objects that a tool loaded stay in a TPM without a resource manager until they are flushed. */
export async function flushObjects(tools: TpmTools): Promise<void> {
  await tools.run('tpm2_flushcontext', ['-t']);
}
