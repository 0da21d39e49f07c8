import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** What a management controller does out of band: whatever the machine's own system is doing. */
export const outOfBandActs = ['on', 'off', 'cycle', 'status', 'identify', 'sensors'] as const;
export type OutOfBandAct = (typeof outOfBandActs)[number];

const words: Readonly<Record<OutOfBandAct, readonly string[]>> = {
  on: ['chassis', 'power', 'on'],
  off: ['chassis', 'power', 'off'],
  cycle: ['chassis', 'power', 'cycle'],
  status: ['chassis', 'power', 'status'],
  identify: ['chassis', 'identify', '60'],
  sensors: ['sdr', 'list', 'full'],
};

export interface Controller {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent: ipmitool agrees with the controller on the best one. */
  readonly cipherSuite?: number;
}

/** The password goes to ipmitool in a file that only we can read, and that is gone afterwards: neither arguments nor environment carry it. */
export async function outOfBand(
  { host, port, user, cipherSuite }: Controller,
  password: Secret,
  act: OutOfBandAct,
): Promise<Result<string>> {
  const dir = await mkdtemp(join(tmpdir(), 'console-ipmi-'));
  try {
    const file = join(dir, 'password');
    await password.use((bytes) => writeFile(file, bytes, { mode: 0o600 }));
    const suite = cipherSuite === undefined ? [] : ['-C', String(cipherSuite)];
    const where = ['-I', 'lanplus', '-H', host, '-p', String(port), '-U', user, '-f', file, '-R', '2'];
    return await ipmitool([...where, ...suite, ...words[act]]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function ipmitool(args: readonly string[]): Promise<Result<string>> {
  return new Promise((resolve) => {
    const child = spawn('ipmitool', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      timeout: limits.power_tool_ms_max,
      killSignal: 'SIGKILL',
    });
    let out = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      out = (out + data).slice(0, limits.local_answer_chars_max);
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      said = (said + data).slice(0, limits.tool_words_max);
    });
    child.on('error', (error) => resolve(refuse('controller-failed', error.message)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(ok(out.trim()));
      resolve(refuse('controller-failed', said.trim() || `ipmitool ended with ${code ?? signal}`));
    });
  });
}
