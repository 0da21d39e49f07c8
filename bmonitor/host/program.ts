import { spawn } from 'node:child_process';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Runs a program of the machine to its end, within a time, and gives what it wrote. */
export function program(
  name: string,
  words: readonly string[],
  ms_max: number = limits.power_tool_ms_max,
): Promise<Result<string>> {
  return new Promise((resolve) => {
    const child = spawn(name, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      timeout: ms_max,
      killSignal: 'SIGKILL',
    });
    const texts = { out: '', said: '' };
    const keep = (which: 'out' | 'said') => (data: string) =>
      (texts[which] = (texts[which] + data).slice(0, limits.local_answer_chars_max));
    child.stdout.setEncoding('utf8').on('data', keep('out'));
    child.stderr.setEncoding('utf8').on('data', keep('said'));
    child.on('error', (error) => resolve(refuse('program-failed', error.message)));
    child.on('close', (code, signal) => {
      const said = texts.said.trim().slice(0, limits.tool_words_max);
      resolve(
        code === 0
          ? ok(texts.out)
          : refuse('program-failed', `${name} ended with ${code ?? signal}${said === '' ? '' : `: ${said}`}`),
      );
    });
  });
}
