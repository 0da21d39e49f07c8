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
 * A salted session that encrypts what goes over the bus: `policy` to show how the machine was measured, `plain` for making objects, which
 * needs no proof.
 */
export async function startSession(
  tools: TpmTools,
  place: Pick<TpmPlace, 'saltKey'>,
  kind: 'policy' | 'plain',
): Promise<Result<FileHandle>> {
  const session = await scratchFile();
  const files = [session];
  const way = kind === 'policy' ? '--policy-session' : '--hmac-session';
  const args = [way, '--tpmkey-context', place.saltKey, '-S', fileAt(0)];
  const start = (): Promise<Result<unknown>> => tools.run('tpm2_startauthsession', args, { files });
  let started = await start();
  if (!started.ok && isFullOfSessions(started.refusal.detail)) {
    // Programs that were killed leave theirs behind; while there is no room, nobody's can be used anyway.
    await tools.run('tpm2_flushcontext', ['-s']);
    started = await start();
  }
  if (!started.ok) {
    await session.close();
    return started;
  }
  const encrypted = [fileAt(0), '--enable-encrypt', '--enable-decrypt'];
  const made = await tools.run('tpm2_sessionconfig', encrypted, { files });
  if (made.ok) return ok(session);
  await endSession(tools, session);
  return made;
}

/** No handle is free for one more session, or one lies there that is too old. */
function isFullOfSessions(words = ''): boolean {
  return /0x90[15]|out of session handles|gap for context id/i.test(words);
}

export async function endSession(tools: TpmTools, session: FileHandle): Promise<void> {
  await tools.run('tpm2_flushcontext', [fileAt(0)], { files: [session] });
  await session.close();
}

/** Shows that the machine was measured as it was when the objects were made. It holds for one use. */
export function showMeasured(
  tools: TpmTools,
  { pcrs }: Pick<TpmPlace, 'pcrs'>,
  session: FileHandle,
): Promise<Result<unknown>> {
  return tools.run('tpm2_policypcr', ['-Q', '-S', fileAt(0), '-l', pcrList(pcrs)], { files: [session] });
}

/** A session for one use. */
export async function withSession<T>(
  tools: TpmTools,
  place: TpmPlace,
  kind: 'policy' | 'plain',
  work: (session: FileHandle) => Promise<Result<T>>,
): Promise<Result<T>> {
  const session = await startSession(tools, place, kind);
  if (!session.ok) return session;
  try {
    const measured = kind === 'policy' ? await showMeasured(tools, place, session.value) : ok(undefined);
    return measured.ok ? await work(session.value) : measured;
  } finally {
    await endSession(tools, session.value);
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
