import { spawn } from 'node:child_process';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Prefix } from './nft-shell.js';

export interface ToolOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool of the machine to its end. A tool that cannot be run is a refusal; its exit code is for the caller. */
export function runTool(
  prefix: Prefix,
  command: readonly string[],
  input = '',
  /** Ends it: then its code is not 0. */
  signal?: AbortSignal,
): Promise<Result<ToolOutput>> {
  if (signal?.aborted === true)
    return Promise.resolve(refuse('firewall-tool-failed', 'nobody waits for it any more'));
  const [program = '', ...words] = [...prefix, ...command];
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
    const end = (): boolean => child.kill();
    signal?.addEventListener('abort', end);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => (stdout += data));
    child.stderr.setEncoding('utf8').on('data', (data: string) => (stderr += data));
    child.on('error', (error) => resolve(refuse('firewall-tool-failed', `${program}: ${error.message}`)));
    child.on('close', (code) => {
      signal?.removeEventListener('abort', end);
      resolve(ok({ code: code ?? -1, stdout, stderr }));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
