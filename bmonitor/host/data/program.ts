import { spawn } from 'node:child_process';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Secret } from '../../../crypto/secret.js';

export interface Ended {
  readonly code: number;
  /** What it printed, on both ways. */
  readonly said: string;
}

/** Runs a program to its end. A secret goes through a pipe, never into an argument; no program is told of our environment. */
export async function runProgram(
  program: string,
  words: readonly string[],
  stdin?: Secret,
  within_ms: number = limits.data_program_ms_max,
  signal?: AbortSignal,
): Promise<Result<Ended>> {
  const child = spawn(program, [...words], {
    stdio: 'pipe',
    ...(signal ? { signal, killSignal: 'SIGKILL' } : {}),
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  let said = '';
  const listen = (chunk: string): void => void (said = (said + chunk).slice(-limits.tool_words_max));
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  // A program that ends before it read everything says so by its exit code.
  child.stdin.on('error', () => {});
  if (stdin) {
    const copy = stdin.use((bytes) => Buffer.from(bytes));
    child.stdin.end(copy, () => copy.fill(0));
  } else child.stdin.end();
  const guard = setTimeout(() => child.kill('SIGKILL'), within_ms);
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'ended'));
  });
  clearTimeout(guard);
  if (typeof code === 'string') return refuse('data-tool-failed', `${program}: ${code}`);
  return ok({ code, said: said.trim() });
}

/** A program that must succeed. */
export async function must(
  program: string,
  words: readonly string[],
  stdin?: Secret,
  within_ms?: number,
  signal?: AbortSignal,
): Promise<Result<string>> {
  const ended = await runProgram(program, words, stdin, within_ms, signal);
  if (!ended.ok) return ended;
  const { code, said } = ended.value;
  return code === 0 ? ok(said) : refuse('data-tool-failed', `${program} ended with ${code}: ${said}`);
}
