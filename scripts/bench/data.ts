import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cipherIn } from '../../bmonitor/host/health/readings.js';
import { ImageStore } from '../../bmonitor/host/data/image-store.js';
import { Secret } from '../../crypto/secret.js';
import { messageOf } from '../../protocol/log.js';
import type { BenchSuite, Measurement } from './suite.js';

const run = promisify(execFile);

/** Without the processor's own instructions encryption is many times slower. */
const cipher = cipherIn(readFileSync('/proc/crypto', 'utf8')) ?? 'what it has not loaded yet';

interface Work {
  readonly name: string;
  readonly rw: 'write' | 'read' | 'randwrite' | 'randread';
  readonly size: '1M' | '4k';
  /** From the disk, or from the memory in which the kernel keeps what was read before. */
  readonly again: boolean;
}

const works: readonly Work[] = [
  { name: '1 MiB written in a row', rw: 'write', size: '1M', again: false },
  { name: '1 MiB read in a row', rw: 'read', size: '1M', again: false },
  { name: '1 MiB read in a row, again', rw: 'read', size: '1M', again: true },
  { name: '4 KiB written at random', rw: 'randwrite', size: '4k', again: false },
  { name: '4 KiB read at random', rw: 'randread', size: '4k', again: false },
  { name: '4 KiB read at random, again', rw: 'randread', size: '4k', again: true },
];

async function measured(directory: string, { rw, size, again }: Work, file_mb: number): Promise<number> {
  const pieces = size === '4k' ? file_mb / 4 : file_mb;
  const { stdout } = await run('fio', [
    '--name=work',
    `--filename=${directory}/work`,
    `--size=${file_mb}M`,
    `--io_size=${pieces}M`,
    `--rw=${rw}`,
    `--bs=${size}`,
    '--ioengine=psync',
    // To the disk every 16 MiB: what only reached memory is not written yet.
    `--fsync=${size === '4k' ? 4096 : 16}`,
    '--randseed=1',
    `--invalidate=${again ? 0 : 1}`,
    '--runtime=20',
    '--output-format=json',
  ]);
  const { jobs } = JSON.parse(stdout) as { jobs: { read: { bw: number }; write: { bw: number } }[] };
  const [job] = jobs;
  return ((rw.endsWith('read') ? job?.read.bw : job?.write.bw) ?? 0) / 1000;
}

/** AES-NI, PCLMULQDQ, SSSE3 and AVX: what OpenSSL is to believe the processor has not. */
const instructions = '~0x1200020200000000';

/** The cipher by itself, in memory and by another's code, by its processor time. */
async function cipherAlone(times: number, env: Readonly<Record<string, string>>): Promise<number[]> {
  const values: number[] = [];
  while (values.length < times) {
    const words = ['speed', '-seconds', '1', '-bytes', '4096', '-evp', 'aes-256-xts'];
    const { stdout } = await run('openssl', words, { env: { ...process.env, ...env } });
    const [, thousands = 'NaN'] = /^AES-256-XTS\s+([\d.]+)k$/im.exec(stdout) ?? [];
    values.push(Number(thousands) / 1000);
  }
  return values;
}

export const suite: BenchSuite = {
  name: 'data',
  about: `files of a lease under its key, against the same file system bare (the kernel encrypts by ${cipher})`,
  async run({ quick }) {
    const folder = await mkdtemp(join(tmpdir(), 'bmonitor-bench-'));
    const store = new ImageStore(folder, (quick ? 256 : 1024) * 1024 * 1024);
    const name = { lease: 'bench', epoch: 0 };
    try {
      const opened = await store.open(name, Secret.take(randomBytes(32)));
      if (!opened.ok) throw new Error(messageOf(opened.refusal.detail ?? opened.refusal.code));
      // Beside the encrypted directory, in the same file system on the same device.
      const bare = join(opened.value, '..', 'bare');
      await mkdir(bare);
      const rounds = quick ? 2 : 5;
      const files = await compare({ encrypted: opened.value, bare }, quick ? 64 : 256, rounds);
      const own = 'the cipher alone, by openssl, with the instructions of the processor';
      const plain = await cipherAlone(rounds, { OPENSSL_ia32cap: instructions });
      return [
        ...files,
        { name: own, unit: 'MB_per_s', values: await cipherAlone(rounds, {}) },
        {
          name: 'the cipher alone, by openssl, without them',
          unit: 'MB_per_s',
          values: plain,
          baseline: own,
        },
      ];
    } finally {
      await store.destroy(name);
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** In turns, so that what else the machine does weighs on both. */
async function compare(
  at: { readonly encrypted: string; readonly bare: string },
  file_mb: number,
  rounds: number,
): Promise<readonly Measurement[]> {
  const values = new Map<string, number[]>();
  for (let round = 0; round < rounds; round += 1)
    for (const work of works)
      for (const [kind, directory] of Object.entries(at)) {
        const row = `${work.name}, ${kind}`;
        values.set(row, [...(values.get(row) ?? []), await measured(directory, work, file_mb)]);
      }
  return works.flatMap(({ name }): readonly Measurement[] => [
    { name: `${name}, bare`, unit: 'MB_per_s', values: values.get(`${name}, bare`) ?? [] },
    {
      name: `${name}, encrypted`,
      unit: 'MB_per_s',
      values: values.get(`${name}, encrypted`) ?? [],
      baseline: `${name}, bare`,
    },
  ]);
}
