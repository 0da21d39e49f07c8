import { createHash, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reading, Subject } from '../../ports/health.js';
import { fed } from './feed.js';
import type { MachineFiles } from './machine.js';

export interface ProbeOptions {
  readonly files: MachineFiles;
  /** A folder on the file system in which the node keeps what it knows. */
  readonly folder: string;
  /** The interface of the node, when one is configured. */
  readonly link?: string | undefined;
}

/** A block large enough to leave the processor's first caches, and what its digest is on a sound processor. */
const block = Buffer.alloc(1024 * 1024);
const digestOfBlock = '30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58';
const pattern_bytes = 1024 * 1024;
const disk_block_bytes = 64 * 1024;

function absent(subject: Subject, item: string, why: string): Reading {
  return { subject, item, kind: 'absent', why };
}

/** Each processor works out a digest that is known, by a process that runs on it and on no other. */
export async function probeProcessors({ files }: ProbeOptions): Promise<readonly Reading[]> {
  const subject = 'processors';
  const online = rangeOf((await files.text('sys/devices/system/cpu/online')) ?? '');
  const found: Reading[] = [];
  for (const cpu of online) {
    const item = `cpu${cpu} computation`;
    const said = await fed('taskset', ['-c', String(cpu), 'sha256sum'], block);
    if (!said.ok) found.push(absent(subject, item, said.refusal.detail ?? ''));
    else {
      const ok = said.value.toString('latin1').startsWith(digestOfBlock);
      found.push({ subject, item, kind: 'check', ok, said: ok ? 'the digest is right' : 'a wrong digest' });
    }
    const path = `sys/devices/system/cpu/cpu${cpu}/thermal_throttle/core_throttle_count`;
    const value = await files.number(path);
    if (value !== undefined)
      found.push({ subject, item: `cpu${cpu} throttled by heat`, kind: 'count', value });
  }
  return [...found, ...(await ownThrottling(files)), ...(await temperatures(files))];
}

/** A quota of the node's own control group slows everything that it promises. */
async function ownThrottling(files: MachineFiles): Promise<readonly Reading[]> {
  const groups = (await files.text('proc/self/cgroup')) ?? '';
  // Where both kinds of hierarchy are mounted, the processor's controller is in one of them only: the older, if it is there at all.
  const older = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  const path = older ?? /^0::(.*)$/m.exec(groups)?.[1];
  for (const root of older === undefined
    ? ['sys/fs/cgroup']
    : ['sys/fs/cgroup/cpu', 'sys/fs/cgroup/cpu,cpuacct']) {
    const stat = path === undefined ? undefined : await files.text(join(root, path, 'cpu.stat'));
    const value = stat === undefined ? undefined : /^nr_throttled (\d+)$/m.exec(stat)?.[1];
    if (value !== undefined)
      return [{ subject: 'processors', item: 'held back by a quota', kind: 'count', value: Number(value) }];
  }
  return [absent('processors', 'held back by a quota', 'the control group does not count it')];
}

async function temperatures(files: MachineFiles): Promise<readonly Reading[]> {
  const zones = ((await files.names('sys/class/thermal')) ?? []).filter((one) =>
    one.startsWith('thermal_zone'),
  );
  if (zones.length === 0) return [absent('processors', 'temperature', 'no thermal zone')];
  return Promise.all(
    zones.map(async (zone): Promise<Reading> => {
      const at = `sys/class/thermal/${zone}`;
      const value = await files.number(`${at}/temp`);
      const item = `temperature of ${(await files.text(`${at}/type`)) ?? zone}`;
      if (value === undefined) return absent('processors', item, 'it cannot be read');
      const most = await criticalOf(files, at);
      return {
        subject: 'processors',
        item,
        kind: 'level',
        value: value / 1000,
        unit: 'degrees',
        ...(most === undefined ? {} : { most: most / 1000 }),
      };
    }),
  );
}

async function criticalOf(files: MachineFiles, zone: string): Promise<number | undefined> {
  for (const name of (await files.names(zone)) ?? []) {
    const trip = /^trip_point_(\d+)_type$/.exec(name)?.[1];
    if (trip === undefined) continue;
    const type = await files.text(`${zone}/${name}`);
    if (type === 'hot' || type === 'critical') return files.number(`${zone}/trip_point_${trip}_temp`);
  }
  return undefined;
}

/** What the memory controllers counted, and a block written with a pattern, read back, and written with its opposite. */
export async function probeMemory({ files }: ProbeOptions): Promise<readonly Reading[]> {
  const subject = 'memory';
  const held = Buffer.allocUnsafeSlow(pattern_bytes);
  const wrong = [0x55, 0xaa].some((byte) => {
    held.fill(byte);
    return held.some((one) => one !== byte);
  });
  const tried: Reading = {
    subject,
    item: 'pattern',
    kind: 'check',
    ok: !wrong,
    said: wrong ? 'other bytes were read than were written' : 'what was written was read',
  };
  const root = 'sys/devices/system/edac/mc';
  const controllers = ((await files.names(root)) ?? []).filter((one) => /^mc\d+$/.test(one));
  if (controllers.length === 0)
    return [tried, absent(subject, 'error correction', 'no controller reports (EDAC)')];
  const counted = await Promise.all(
    controllers.flatMap((one) => [
      counter(files, subject, `${one} corrected`, `${root}/${one}/ce_count`, 10),
      counter(files, subject, `${one} uncorrected`, `${root}/${one}/ue_count`),
    ]),
  );
  return [tried, ...counted];
}

async function counter(
  files: MachineFiles,
  subject: Subject,
  item: string,
  path: string,
  allowed = 0,
): Promise<Reading> {
  const value = await files.number(path);
  return value === undefined
    ? absent(subject, item, 'it cannot be read')
    : { subject, item, kind: 'count', value, allowed };
}

/** Random bytes go to the disk past the page cache and come back; what the kernel counted of each disk; what the disk says of itself. */
export async function probeDisks({ files, folder }: ProbeOptions): Promise<readonly Reading[]> {
  const names = ((await files.names('sys/block')) ?? []).filter(
    (one) => !/^(ram|zram|loop|sr|fd|nbd|md|dm-)/.test(one),
  );
  const each = await Promise.all(
    names.map(async (name): Promise<readonly Reading[]> => {
      const errors = `sys/block/${name}/device/ioerr_cnt`;
      const value = await files.hexadecimal(errors);
      const counted: Reading =
        value === undefined
          ? absent('disks', `${name} errors`, 'the kernel does not count them')
          : { subject: 'disks', item: `${name} errors`, kind: 'count', value };
      return [counted, await smart(name)];
    }),
  );
  return [await writeAndReadBack(folder), ...each.flat()];
}

async function writeAndReadBack(folder: string): Promise<Reading> {
  const [subject, item] = ['disks', 'write and read back'] as const;
  const path = join(folder, '.health-probe');
  const bytes = randomBytes(disk_block_bytes);
  const digest = createHash('sha256').update(bytes).digest('hex');
  try {
    const size = ['bs=64k', 'count=1'];
    const wrote = await fed(
      'dd',
      [`of=${path}`, 'oflag=direct', 'conv=fsync', 'iflag=fullblock', ...size],
      bytes,
    );
    if (!wrote.ok) {
      const why = wrote.refusal.detail ?? '';
      // A file system in memory has no way past the cache: nothing of a disk was tried.
      if (why.includes('Invalid argument'))
        return absent(subject, item, 'the file system cannot write past its cache');
      return { subject, item, kind: 'check', ok: false, said: why };
    }
    const read = await fed('dd', [`if=${path}`, 'iflag=direct', ...size]);
    if (!read.ok) return { subject, item, kind: 'check', ok: false, said: read.refusal.detail ?? '' };
    const ok = createHash('sha256').update(read.value).digest('hex') === digest;
    return {
      subject,
      item,
      kind: 'check',
      ok,
      said: ok ? 'the same bytes came back' : 'other bytes came back',
    };
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}

async function smart(name: string): Promise<Reading> {
  const [subject, item] = ['disks', `${name} SMART`] as const;
  const said = await fed(
    'smartctl',
    ['--health', '--json=c', `/dev/${name}`],
    undefined,
    [0, 1, 2, 3, 4, 8, 16, 24],
  );
  return smartReading(item, subject, said.ok ? said.value.toString('utf8') : '');
}

export function smartReading(item: string, subject: Subject, text: string): Reading {
  const passed = /"smart_status"\s*:\s*\{[^}]*"passed"\s*:\s*(true|false)/.exec(text)?.[1];
  if (passed === undefined) return absent(subject, item, 'smartctl is not there, or the disk does not say');
  const ok = passed === 'true';
  return { subject, item, kind: 'check', ok, said: ok ? 'passed' : 'the disk expects to fail' };
}

function rangeOf(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number);
    return Number.isInteger(first) && Number.isInteger(last) && part !== ''
      ? Array.from({ length: last - first + 1 }, (_, at) => first + at)
      : [];
  });
}
