import { openBox } from '../../../crypto/box.js';
import { digestOf } from '../../../crypto/bytes.js';
import { approvedBy } from '../../../bmonitor/node/measurement.js';
import { brokenInvariants } from '../../../bmonitor/node/invariants.js';
import { engineKeys, historyKey, homeOf, secretKeys } from '../../../bmonitor/node/places.js';
import { openWithEither } from '../../../bmonitor/node/root-seal.js';
import { noEntry, type NodeState } from '../../../bmonitor/node/state.js';
import { limits } from '../../../protocol/limits.js';
import type { Machine, Running } from './machine.js';

/** Everything that is wrong with a node that runs and has nothing under way. Empty: it is sound. */
export async function unsoundness(running: Running, machine: Machine): Promise<readonly string[]> {
  const { core } = running;
  return [
    ...(core.fault === undefined ? [] : [core.fault]),
    ...brokenInvariants(core.state, core.ring),
    ...(await brokenHistories(running)),
    ...brokenEvents(running, machine),
    ...unaccounted(running, machine),
    ...brokenDirectories(running, machine),
    ...wrongMeasurements(running, machine),
  ];
}

/** The chip accepts the present measurement, what every level approved, and nothing else. */
function wrongMeasurements({ core }: Running, { chip }: Machine): readonly string[] {
  const approved = approvedBy(core.state);
  const expected = [chip.measures, ...(approved === undefined ? [] : [approved])];
  return chip.allowed.join() === expected.join() ? [] : [`the chip accepts ${chip.allowed.join()}`];
}

/** Every line that is kept follows the one before it, and the last one is the head. */
async function brokenHistories({ core, journal }: Running): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const [index, { lease, history }] of core.state.levels.entries()) {
    // While a share is outstanding nobody can read it.
    if (!core.ring.data.has(lease)) continue;
    const { first, head } = history;
    const lines = await journal.history(lease, first, Number.MAX_SAFE_INTEGER, head.seq);
    const where = `history of level ${index}`;
    if (lines.length !== head.seq - first + 1)
      broken.push(`${where}: ${lines.length} lines from ${first} to ${head.seq}`);
    let previous = first === 1 ? noEntry : undefined;
    for (const [at, line] of lines.entries()) {
      const entry = JSON.parse(line) as { seq: number; previous: string; lease: string };
      if (entry.seq !== first + at || entry.lease !== lease)
        broken.push(`${where}: entry ${first + at} is another`);
      if (previous !== undefined && entry.previous !== previous)
        broken.push(`${where}: entry ${entry.seq} does not follow`);
      previous = digestOf(line);
    }
    if (previous !== undefined && previous !== head.digest) broken.push(`${where}: the head is another`);
  }
  return broken;
}

/** Events are numbered without a gap, and what the log believes is what the disk has. */
function brokenEvents({ core, journal, events }: Running, { disk }: Machine): readonly string[] {
  const broken: string[] = [];
  for (const { lease } of core.state.levels) {
    let next: number | undefined;
    for (const key of disk.keys().filter((one) => one.startsWith(`v/${lease}/`))) {
      const box = disk.valueAt(key);
      const bytes = box && journal.openFor(lease, key, box);
      if (!bytes) {
        broken.push(`${key} does not open`);
        continue;
      }
      for (const line of Buffer.from(bytes).toString().split('\n')) {
        const { seq } = JSON.parse(line) as { seq: number };
        if (next !== undefined && seq !== next)
          broken.push(`event ${seq} of ${lease} comes after ${next - 1}`);
        next = seq + 1;
      }
    }
    if (next !== undefined && next !== events.next(lease))
      broken.push(`the next event of ${lease} is another`);
  }
  return broken;
}

/** Every key on the disk is one that the state speaks of, and the other way round: nothing is orphaned, nothing is missing. */
function unaccounted({ core }: Running, { disk }: Machine): readonly string[] {
  const { state } = core;
  const expected = new Set([
    `root/${padded(state.generation)}`,
    ...blocks(state),
    ...lines(state),
    ...receipts(state),
    ...engineKeys(state).keys(),
    ...secretKeys(state),
  ]);
  const leases = new Set(state.levels.map((level) => level.lease));
  const broken: string[] = [];
  for (const key of disk.keys()) {
    const [room = '', lease = ''] = key.split('/');
    if (room === 'q' || room === 'r' || room === 'v') {
      if (!leases.has(lease)) broken.push(`orphaned: ${key}`);
    } else if (!expected.delete(key)) broken.push(`orphaned: ${key}`);
  }
  broken.push(...[...expected].map((key) => `missing: ${key}`));
  const replies = disk.keys().filter((key) => key.startsWith('r/'));
  const ordered = disk
    .keys()
    .filter((key) => key.startsWith('q/'))
    .map((key) => Buffer.from(disk.valueAt(key) ?? []).toString());
  if (replies.join() !== [...ordered].sort().join()) broken.push('replies and their order differ');
  for (const key of replies) {
    if (!core.ring.data.has(key.split('/')[1] ?? '')) continue;
    const box = disk.valueAt(key);
    const bytes = box && openWithEither(core.ring, key.split('/')[1] ?? '', key, box);
    if (!bytes) broken.push(`${key} does not open`);
  }
  return broken;
}

/** Directories are those of leases there are, each under the data key that its lease has now, and open exactly while that may be read. */
function brokenDirectories({ core }: Running, { directories }: Machine): readonly string[] {
  const broken: string[] = [];
  for (const { lease, epoch, open } of directories.all()) {
    const where = `the directory of ${lease} at ${epoch}`;
    const level = core.state.levels.find((one) => one.lease === lease && one.epoch === epoch);
    if (!level) {
      broken.push(`${where} belongs to nobody`);
      continue;
    }
    const readable = level.status !== 'dark' && core.ring.data.has(lease);
    if (level.status === 'dark' && open) broken.push(`${where} is open, and its lease is dark`);
    if (readable && !open) broken.push(`${where} is not open`);
    if (readable && directories.read({ lease, epoch }, 'two') !== `two of ${lease}`)
      broken.push(`${where} lost a file`);
  }
  return broken;
}

function blocks(state: NodeState): readonly string[] {
  return state.levels.flatMap(({ lease, filters, waiting }) =>
    [...filters.blocks, ...(waiting?.before.blocks ?? [])].map((block) => `f/${lease}/${block.id}`),
  );
}

function lines(state: NodeState): readonly string[] {
  return state.levels.flatMap(({ lease, history: { first, head } }) =>
    Array.from({ length: head.seq - first + 1 }, (_, at) => historyKey(homeOf(state, lease), first + at)),
  );
}

function receipts(state: NodeState): readonly string[] {
  return state.levels.flatMap(({ lease, receipts: count }) =>
    Array.from({ length: count }, (_, at) => `e/${lease}/${padded(at + 1)}`).slice(-limits.receipts_kept_max),
  );
}

function padded(value: number): string {
  return String(value).padStart(15, '0');
}

/** Does anything on this disk that is sealed under a lease's data key open with the keys that the node holds now? */
export function opensAnything(running: Running, disk: Machine['disk'], lease: string): boolean {
  const { data: gated, outer } = running.core.ring;
  const data = [...gated.values(), ...outer.values()];
  return disk
    .keys()
    .filter((key) => key.split('/')[1] === lease)
    .some((key) => {
      const box = disk.valueAt(key);
      return box !== undefined && data.some((secret) => openBox(secret, key, box) !== undefined);
    });
}

/** What of the state the kernel must know. */
export function enforcedShape(state: NodeState): string {
  const { levels, quarantine, ways } = state;
  return JSON.stringify([
    levels.map(({ lease, status, filters }) => [lease, status, filters]),
    quarantine ?? null,
    ways ?? null,
  ]);
}

/** The state without what differs from run to run: ids and digests become numbers in the order in which they appear. */
export function shapeOf(state: NodeState): string {
  const { generation: _, timeFloor_s: __, ...rest } = state;
  const names = new Map<string, string>();
  return JSON.stringify(rest, (key, part: unknown) =>
    key === 'jwk' || key === 'key' || isSigned(part) ? 'made by chance' : sorted(part),
  ).replace(/(?<![\w-])(?:[\w-]{43}|[\w-]{22})(?![\w-])/g, (id) => {
    const known = names.get(id) ?? `#${names.size}`;
    names.set(id, known);
    return known;
  });
}

/** A receipt: no two signatures are alike. */
function isSigned(part: unknown): boolean {
  return typeof part === 'string' && /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(part);
}

/** In memory and after a start the members may stand in another order. */
function sorted(part: unknown): unknown {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Undefined when they are the same; else where they begin to differ. */
export function difference(here: string, there: string): string | undefined {
  if (here === there) return undefined;
  const at = Array.from({ length: here.length }).findIndex((_, index) => here[index] !== there[index]);
  const from = Math.max(0, at - 60);
  return `${here.slice(from, at + 80)} … instead of … ${there.slice(from, at + 80)}`;
}
