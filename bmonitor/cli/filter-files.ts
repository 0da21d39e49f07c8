import { open } from 'node:fs/promises';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { parseAddress } from '../filters/address.js';
import type { FilterSet, Names, NormalSet, PeerRange } from '../filters/model.js';
import { noNames, normaliseSet } from '../filters/normalise.js';
import { parseFilterSet, parseNames } from '../filters/parse.js';

/** A set that was read from a file, with the file's name for what is said about it. */
export interface SetFile {
  readonly file: string;
  readonly set: FilterSet;
  readonly normal: NormalSet;
}

/** The place of a refusal is the file, and within it the field. */
function inFile(file: string, refusal: Refusal): Result<never> {
  const { code, detail, where, ...more } = refusal;
  return refuse(code, detail, {
    ...more,
    where: where === undefined || where === '' ? file : `${file}: ${where}`,
  });
}

async function readText(file: string): Promise<Result<Uint8Array>> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > limits.file_bytes_max)
        return refuse('too-large', `${size} bytes; at most ${limits.file_bytes_max}`, { where: file });
      return ok(await handle.readFile());
    } finally {
      await handle.close();
    }
  } catch (error) {
    return refuse('bad-input', messageOf(error), { where: file });
  }
}

/** Where JSON.parse stopped, as a person counts. */
function faultIn(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes);
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const position = /position (\d+)/u.exec(messageOf(error))?.[1];
    if (position === undefined) return messageOf(error);
    const before = text.slice(0, Number(position)).split('\n');
    return `not valid JSON: line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  }
}

async function readJson(file: string): Promise<Result<unknown>> {
  const bytes = await readText(file);
  if (!bytes.ok) return bytes;
  const value = parseJson(bytes.value);
  if (value.ok) return value;
  const fault = faultIn(bytes.value);
  return inFile(file, fault === undefined ? value.refusal : { ...value.refusal, detail: fault });
}

export async function readNames(file: string | undefined): Promise<Result<Names>> {
  if (file === undefined) return ok(noNames);
  const value = await readJson(file);
  if (!value.ok) return value;
  const names = parseNames(value.value);
  return names.ok ? names : inFile(file, names.refusal);
}

export async function readSet(file: string, names: Names): Promise<Result<SetFile>> {
  const value = await readJson(file);
  if (!value.ok) return value;
  const set = parseFilterSet(value.value);
  if (!set.ok) return inFile(file, set.refusal);
  const normal = normaliseSet(set.value, names);
  return normal.ok ? ok({ file, set: set.value, normal: normal.value }) : inFile(file, normal.refusal);
}

export async function readSets(files: readonly string[], names: Names): Promise<Result<readonly SetFile[]>> {
  const sets: SetFile[] = [];
  for (const file of files) {
    const set = await readSet(file, names);
    if (!set.ok) return set;
    sets.push(set.value);
  }
  return ok(sets);
}

/** The levels of a node, the landlord's first: it has nobody to inherit from. */
export async function readLayers(layers: string, names: Names): Promise<Result<readonly SetFile[]>> {
  const sets = await readSets(layers.split(','), names);
  if (!sets.ok) return sets;
  const [first] = sets.value;
  if (first !== undefined && first.set.otherwise !== 'deny')
    return inFile(first.file, {
      code: 'bad-input',
      where: 'otherwise',
      detail: 'the first layer is the landlord’s, which has nobody to inherit from: deny is needed here',
    });
  return sets;
}

export function readAddresses(texts: readonly string[]): Result<readonly PeerRange[]> {
  const ranges: PeerRange[] = [];
  for (const text of texts) {
    const address = parseAddress(text);
    if (address === undefined)
      return refuse('bad-input', `not an address: ${JSON.stringify(text)}`, { where: '--address' });
    ranges.push({ family: address.family, lo: address.value, hi: address.value });
  }
  return ok(ranges);
}
