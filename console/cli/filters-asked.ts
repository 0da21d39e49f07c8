import { parseJson } from '../../protocol/json.js';
import type { Result } from '../../protocol/result.js';
import { readFileLimited } from '../daemon/files.js';
import type { ApiClient } from './client.js';

export interface Flags {
  readonly names?: string;
  readonly json?: boolean;
}

export interface Fit {
  readonly node: string;
  readonly within: boolean | null;
  readonly sentence: string | null;
  readonly filters: readonly number[];
  readonly trouble: string | null;
}

interface Box {
  readonly direction: string;
  readonly oneway: boolean;
  readonly peers: string;
  readonly protocol: string;
  readonly ports: string | null;
}

export function jsonFrom(file: string): Result<unknown> {
  const content = readFileLimited(file);
  return content.ok ? parseJson(content.value) : content;
}

export function bodyFrom(file: string, targets: readonly string[], flags: Flags): Result<object> {
  const set = jsonFrom(file);
  if (!set.ok) return set;
  const names = flags.names === undefined ? undefined : jsonFrom(flags.names);
  if (names?.ok === false) return names;
  return { ok: true, value: { targets, set: set.value, ...(names ? { names: names.value } : {}) } };
}

export async function fitsOf(client: ApiClient, body: object): Promise<Result<readonly Fit[]>> {
  const answer = await client.call('POST', '/api/v1/filters/check', body);
  return answer.ok ? { ok: true, value: answer.value['fits'] as readonly Fit[] } : answer;
}

export function fitText({ node, within, sentence, filters, trouble }: Fit): string {
  if (within === null) return `${node}: unknown: ${trouble}`;
  if (within) return `${node}: fits`;
  return `${node}: ${sentence}\n  allowed by ${filters.map((at) => `filters[${at}]`).join(', ')}`;
}

function boxText({ direction, oneway, peers, protocol, ports }: Box): string {
  return `${direction} ${peers} ${protocol}${ports === null ? '' : ` ${ports}`}${oneway ? ' (one way)' : ''}`;
}

interface Difference {
  readonly allowed: readonly Box[];
  readonly refused: readonly Box[];
  /** Of the set that it was compared with. */
  readonly version: number;
}

/** What would change, for a person, and over which versions: what is applied later replaces these and no others. */
export interface Compared {
  readonly text: string;
  readonly versions: Readonly<Record<string, number>>;
}

export async function differencesOf(client: ApiClient, body: object): Promise<Result<Compared>> {
  const answer = await client.call('POST', '/api/v1/filters/difference', body);
  if (!answer.ok) return answer;
  const all = answer.value['differences'] as Readonly<Record<string, Difference>>;
  const versions = Object.fromEntries(Object.entries(all).map(([node, { version }]) => [node, version]));
  const lines = Object.entries(all).flatMap(([node, { allowed, refused }]) =>
    allowed.length + refused.length === 0
      ? [`${node}: nothing changes`]
      : [
          `${node}:`,
          ...allowed.map((box) => `  + ${boxText(box)}`),
          ...refused.map((box) => `  - ${boxText(box)}`),
        ],
  );
  return { ok: true, value: { text: lines.join('\n'), versions } };
}
