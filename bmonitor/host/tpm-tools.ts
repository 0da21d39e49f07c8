import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

export interface ToolInput {
  /** Secrets go in here, never into an argument. */
  readonly stdin?: Secret;
  /** Open files, which the tool finds as `fileAt(0)`, `fileAt(1)`, … */
  readonly files?: readonly FileHandle[];
}

/** How a tool that was given open files is told of one of them. */
export function fileAt(index: number): string {
  return `/proc/self/fd/${3 + index}`;
}

const bringsObjects = new Set([
  'tpm2_create',
  'tpm2_createprimary',
  'tpm2_load',
  'tpm2_quote',
  'tpm2_readpublic',
  'tpm2_sign',
  'tpm2_unseal',
]);

/**
 * The programs of tpm2-tools, one at a time: without a resource manager a TPM has room for three objects, and two users would flush each
 * other's. Secrets travel through pipes; what a session needs between two tools stands in memory, in a file without a name.
 */
export class TpmTools {
  readonly #env: NodeJS.ProcessEnv;
  /** The kernel's resource manager clears up after each program by itself. */
  readonly managed: boolean;
  #queue: Promise<unknown> = Promise.resolve();
  #objectLeft = false;
  #clearing: NodeJS.Timeout | undefined;

  /** `tcti` says how to reach the TPM, in the words of tpm2-tools: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`. */
  constructor(tcti: string) {
    this.managed = tcti.startsWith('device:/dev/tpmrm');
    this.#env = { PATH: process.env['PATH'], TPM2TOOLS_TCTI: tcti, LC_ALL: 'C' };
  }

  /** Several tools in a row that nobody else may come between. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /**
   * The last tool left an object in the TPM. It is flushed when nothing was asked for a moment, or before the next tool that brings one: what
   * waits for a signature does not wait for that too.
   */
  leaveObject(): void {
    if (this.managed) return;
    this.#objectLeft = true;
    clearTimeout(this.#clearing);
    this.#clearing = setTimeout(() => void this.inTurn(() => this.clear()), limits.tpm_session_rest_ms);
  }

  /** Within a turn: flushes what was left. */
  async clear(): Promise<void> {
    clearTimeout(this.#clearing);
    if (!this.#objectLeft) return;
    this.#objectLeft = false;
    await this.run('tpm2_flushcontext', ['-t']);
  }

  /** Runs a tool. What it prints may be secret. */
  async run(tool: string, args: readonly string[], input: ToolInput = {}): Promise<Result<Secret>> {
    if (bringsObjects.has(tool)) await this.clear();
    const files = (input.files ?? []).map((file) => file.fd);
    const child = spawn(tool, [...args], { env: this.#env, stdio: ['pipe', 'pipe', 'pipe', ...files] });
    const { stdin, stdout, stderr } = child;
    if (!stdin || !stdout || !stderr) throw new Error('pipes were asked for');
    const printed: Buffer[] = [];
    let said = '';
    stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-limits.tool_words_max)));
    // A tool that ends before it read everything says so by its exit code.
    stdin.on('error', () => {});
    if (input.stdin) input.stdin.use((bytes) => stdin.end(Buffer.from(bytes)));
    else stdin.end();
    const guard = setTimeout(() => child.kill('SIGKILL'), limits.tpm_tool_ms_max);
    const code = await new Promise<number | string>((resolve) => {
      child.once('error', (error) => resolve(messageOf(error)));
      child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'ended'));
    });
    clearTimeout(guard);
    const bytes = Buffer.concat(printed);
    for (const chunk of printed) chunk.fill(0);
    return code === 0 ? ok(Secret.take(bytes)) : refuseTool(tool, code, said);
  }
}

/** What the TPM said, by its response code: the tools print it as a number. */
function refuseTool(tool: string, code: number | string, said: string): Result<never> {
  const words = said.replaceAll(/\s+/g, ' ').trim();
  const detail = `${tool} ended with ${code}: ${words}`;
  // What the registers show is not what stands in the index of the policy in force.
  const notInForce = tool === 'tpm2_policyauthorizenv' && /0x[0-9a-f]*84\b/i.test(words);
  if (notInForce || /0x99d|policy check failed/i.test(words)) return refuse('tpm-measured-otherwise', detail);
  // A blob that this TPM did not make, or a handle that is no longer there.
  if (/0x1df|0x[0-9a-f]*18b|0x[0-9a-f]*28b|integrity check failed|handle is not correct/i.test(words))
    return refuse('tpm-not-the-same', detail);
  return refuse('tpm-failed', detail);
}

const tmpfsMagic = 0x0102_1994;

/** A file without a name in memory: it is gone with the last process that has it open, and never was on a disk. */
export async function scratchFile(): Promise<FileHandle> {
  const folder = '/dev/shm';
  if ((await statfs(folder)).type !== tmpfsMagic) throw new Error(`${folder} is not in memory`);
  const path = `${folder}/bmonitor-${randomBytes(12).toString('hex')}`;
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

/** All that stands in a scratch file. */
export async function contentOf(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, 0);
  return bytes;
}
