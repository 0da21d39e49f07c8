import type { Secret } from '../../../crypto/secret.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { must, runProgram } from './program.js';

/**
 * The kernel's file encryption, through xfs_io, which speaks to every file system that has it, not to XFS only. The policy is of version 2, so
 * the kernel itself derives what it needs and names a key by a digest of it: another key cannot be taken for it. Contents are under AES-256-XTS,
 * names under AES-256-CTS and padded to 32 bytes.
 */
const padded = '0x03';

/** Gives the kernel a key for one file system, and answers by which name the kernel knows it. */
export async function addKey(mount: string, key: Secret): Promise<Result<string>> {
  const added = await must('xfs_io', ['-c', 'add_enckey', mount], key);
  if (!added.ok) return added;
  const [id] = /[0-9a-f]{32}/.exec(added.value) ?? [];
  return id === undefined ? refuse('data-tool-failed', `xfs_io: ${added.value}`) : ok(id);
}

/** Undefined: the directory has no policy. Said without the key too. */
export async function policyOf(directory: string): Promise<Result<string | undefined>> {
  const asked = await runProgram('xfs_io', ['-c', 'get_encpolicy', directory]);
  if (!asked.ok) return asked;
  const { said } = asked.value;
  const [, id] = /Master key identifier: ([0-9a-f]{32})/.exec(said) ?? [];
  if (id !== undefined) return ok(id);
  return /no data available|not encrypted/i.test(said)
    ? ok(undefined)
    : refuse('data-tool-failed', `xfs_io: ${said}`);
}

export async function setPolicy(directory: string, id: string): Promise<Result<void>> {
  const words = `set_encpolicy -v 2 -c AES-256-XTS -n AES-256-CTS -f ${padded} ${id}`;
  const set = await must('xfs_io', ['-c', words, directory]);
  return set.ok ? ok(undefined) : set;
}

/** Takes a key out of the kernel, whoever put it there, with all that the kernel holds in the clear. */
export async function removeKey(mount: string, id: string): Promise<Result<void>> {
  const removed = await runProgram('xfs_io', ['-c', `rm_enckey -a ${id}`, mount]);
  if (!removed.ok) return removed;
  const { said, code } = removed.value;
  if (/still busy/.test(said)) return refuse('directory-busy');
  // There is none: somebody did it before us, or the machine started anew.
  if (code === 0 || /required key not available/i.test(said)) return ok(undefined);
  return refuse('data-tool-failed', `xfs_io: ${said}`);
}

export async function isPresent(mount: string, id: string): Promise<boolean> {
  const asked = await runProgram('xfs_io', ['-c', `enckey_status ${id}`, mount]);
  return asked.ok && asked.value.said.startsWith('Present');
}
