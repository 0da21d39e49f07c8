import { execFile } from 'node:child_process';
import type { ErrorCode } from '../../../protocol/errors/index.js';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';

const output_bytes_max = 512 * 1024 * 1024;

/** Runs a tool of the machine to its end and answers what it said; a refusal says what it complained of. */
export function runTool(
  program: string,
  words: readonly string[],
  options: {
    readonly input?: string;
    readonly env?: NodeJS.ProcessEnv;
    /** What it said counts, though it complained of something beside. */
    readonly partly?: true;
  } = {},
): Promise<Result<string>> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...words],
      {
        timeout: limits.engine_tool_ms_max,
        killSignal: 'SIGKILL',
        maxBuffer: output_bytes_max,
        env: options.env ?? { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      },
      (error, stdout, stderr) => {
        if (!error || (options.partly && stdout !== '')) return resolve(ok(stdout));
        const why = stderr.trim() === '' ? error.message : stderr.trim();
        resolve(refuse('engine-failed', `${program}: ${why.slice(-limits.tool_words_max)}`));
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** What the machine refuses is told, and not thrown. */
export async function tried(code: ErrorCode, work: () => Promise<void>): Promise<Result<void>> {
  try {
    await work();
    return ok(undefined);
  } catch (error) {
    return refuse(code, messageOf(error));
  }
}

/** Side by side. When one of them throws, that is thrown when all have come to their end: nothing goes on behind the back of who cleans up. */
export async function together<T extends readonly unknown[]>(
  ...all: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(all);
  return Promise.all(all);
}
