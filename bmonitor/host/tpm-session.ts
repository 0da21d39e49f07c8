import type { FileHandle } from 'node:fs/promises';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { contentOf, fileAt, scratchFile, type TpmTools } from './tpm-tools.js';

/** The key in the TPM to which the salt of every session is encrypted, the registers, and the index that says how they must stand. */
export interface TpmPlace {
  readonly saltKey: string;
  readonly pcrs: readonly number[];
  /** The index that holds the policy in force: every secret requires what stands there. */
  readonly approval: string;
  /** The two policies of which one must hold, while the levels have approved another measurement besides the present one. */
  readonly either?: readonly [Uint8Array, Uint8Array];
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

/** Shows that the machine was measured as the policy in force requires. It holds for one use. */
export async function showMeasured(
  tools: TpmTools,
  { pcrs, either, approval }: TpmPlace,
  session: FileHandle,
): Promise<Result<unknown>> {
  const registers = ['-Q', '-S', fileAt(0), '-l', pcrList(pcrs)];
  const measured = await tools.run('tpm2_policypcr', registers, { files: [session] });
  if (!measured.ok) return measured;
  const chosen = either ? await showEither(tools, session, either) : measured;
  if (!chosen.ok) return chosen;
  const index = ['-Q', '-S', fileAt(0), '-C', approval, approval];
  return tools.run('tpm2_policyauthorizenv', index, { files: [session] });
}

/** A session for one use. */
export async function withSession<T>(
  tools: TpmTools,
  saltKey: string,
  kind: 'policy' | 'plain',
  work: (session: FileHandle) => Promise<Result<T>>,
): Promise<Result<T>> {
  const session = await startSession(tools, { saltKey }, kind);
  if (!session.ok) return session;
  try {
    return await work(session.value);
  } finally {
    await endSession(tools, session.value);
  }
}

/** The same, which has shown how the machine was measured. */
export function withMeasuredSession<T>(
  tools: TpmTools,
  place: TpmPlace,
  work: (session: FileHandle) => Promise<Result<T>>,
): Promise<Result<T>> {
  return withSession(tools, place.saltKey, 'policy', async (session) => {
    const measured = await showMeasured(tools, place, session);
    return measured.ok ? work(session) : measured;
  });
}

async function showEither(
  tools: TpmTools,
  session: FileHandle,
  [one, other]: readonly [Uint8Array, Uint8Array],
): Promise<Result<unknown>> {
  const [first, second] = [await scratchFile(), await scratchFile()];
  try {
    await first.write(one, 0, one.length, 0);
    await second.write(other, 0, other.length, 0);
    const args = ['-Q', '-S', fileAt(0), '-l', `sha256:${fileAt(1)},${fileAt(2)}`];
    return await tools.run('tpm2_policyor', args, { files: [session, first, second] });
  } finally {
    await first.close();
    await second.close();
  }
}

/** The digest of the policy that takes what it requires from an index. */
export async function policyFromIndex(tools: TpmTools, index: string): Promise<Result<Buffer>> {
  const session = await scratchFile();
  const policy = await scratchFile();
  const files = [session, policy];
  try {
    const started = await tools.run('tpm2_startauthsession', ['-S', fileAt(0)], { files });
    if (!started.ok) return started;
    const args = ['-Q', '-S', fileAt(0), '-C', index, '-L', fileAt(1), index];
    const said = await tools.run('tpm2_policyauthorizenv', args, { files });
    await tools.run('tpm2_flushcontext', [fileAt(0)], { files });
    return said.ok ? ok(await contentOf(policy)) : said;
  } finally {
    await session.close();
    await policy.close();
  }
}

/** The values of the registers, one after the other. */
export async function registersNow(tools: TpmTools, pcrs: readonly number[]): Promise<Result<Buffer>> {
  const values = await scratchFile();
  try {
    const args = ['-Q', pcrList(pcrs), '-o', fileAt(0)];
    const read = await tools.run('tpm2_pcrread', args, { files: [values] });
    if (!read.ok) return read;
    const content = await contentOf(values);
    if (content.length !== 32 * pcrs.length)
      return refuse('tpm-failed', 'the TPM has not got these registers with SHA-256');
    return ok(content);
  } finally {
    await values.close();
  }
}

/** Objects that a tool loaded stay in a TPM without a resource manager until they are flushed. */
export async function flushObjects(tools: TpmTools): Promise<void> {
  if (!tools.managed) await tools.run('tpm2_flushcontext', ['-t']);
}
