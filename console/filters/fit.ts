import { compileSet } from '../../bmonitor/filters/compile.js';
import { diff, type Difference } from '../../bmonitor/filters/diff.js';
import type { Filter, FilterSet, Names, NormalSet } from '../../bmonitor/filters/model.js';
import { normaliseSet } from '../../bmonitor/filters/normalise.js';
import { parseFilterSet, parseNames } from '../../bmonitor/filters/parse.js';
import { prove, type Witness } from '../../bmonitor/filters/prove.js';
import type { LevelBoxes } from '../../bmonitor/filters/boxes.js';
import { limits } from '../../protocol/limits.js';
import { list, object, flag, oneOf, text, whole, type Parse } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { NodeBook } from '../nodes/book.js';

/** A box of what the levels above let through, as a node says it. */
const box = object({
  direction: oneOf('in', 'out'),
  oneway: flag,
  peers: text({ max: 100 }),
  protocol: ((value, where) =>
    typeof value === 'number' || typeof value === 'string'
      ? ok(value)
      : refuse('bad-input', 'a protocol', { where })) satisfies Parse<string | number>,
  ports: ((value, where) =>
    value === null || typeof value === 'string'
      ? ok(value)
      : refuse('bad-input', 'ports or null', { where })) satisfies Parse<string | null>,
});
const boxes = object({ level: (value) => ok(value), boxes: list(box, { max: limits.passed_boxes_max }) });

/** Whether a set lies within what the levels above let through, and if not, what shows it. */
export type Fit =
  | { readonly within: true }
  | {
      readonly within: false;
      readonly witness: Witness;
      /** The filters of the set that allow it. */
      readonly filters: readonly number[];
      /** For a person. */
      readonly sentence: string;
    };

export async function setAbove(book: NodeBook, node: string): Promise<Result<NormalSet | undefined>> {
  const above = await filtersAbove(book, node);
  if (!above.ok) return above;
  return above.value ? normaliseSet(above.value) : ok(undefined);
}

/** What the levels above let through together, as a set. The landlord has nothing above. */
export async function filtersAbove(book: NodeBook, node: string): Promise<Result<FilterSet | undefined>> {
  const known = book.get(node);
  if (!known.ok) return known;
  const { level } = known.value.card;
  if (level === 0) return ok(undefined);
  const reply = await book.request(node, { type: 'filters.read', level: level - 1 });
  if (!reply.ok) return reply;
  const parsed = boxes(reply.value.result ?? {}, 'boxes');
  if (!parsed.ok) return parsed;
  const filters = parsed.value.boxes.flatMap((one): Filter[] => {
    const peers = [one.peers];
    const rest = { action: 'allow', direction: one.direction, peers, oneway: one.oneway } as const;
    const range = /^([0-9]+)-([0-9]+)$/.exec(String(one.protocol));
    if (one.protocol === 'any') return [rest];
    if (range) {
      const [lo, hi] = [Number(range[1]), Number(range[2])];
      return Array.from({ length: hi - lo + 1 }, (_, at) => ({ ...rest, protocol: lo + at }));
    }
    return [
      { ...rest, protocol: one.protocol, ...(one.ports === null ? {} : { ports: [portOf(one.ports)] }) },
    ];
  });
  return ok({ otherwise: 'deny', filters });
}

function portOf(text: string): number | string {
  return text.includes('-') ? text : Number(text);
}

export interface Given {
  readonly set: FilterSet;
  readonly names: Names;
  readonly normal: NormalSet;
}

/** A set as a person wrote it. What its names stand for is given with it, or known here: the addresses of nodes of this console. */
export function readGiven(book: NodeBook, set: unknown, names: unknown): Result<Given> {
  const parsed = parseFilterSet(set, 'set');
  if (!parsed.ok) return parsed;
  const given = parseNames(names ?? {}, 'names');
  if (!given.ok) return given;
  const used = new Map(given.value);
  for (const spelled of parsed.value.filters.flatMap(({ peers }) => peers ?? [])) {
    if (!spelled.startsWith('node:') || used.has(spelled)) continue;
    const known = book.get(spelled.slice(5));
    const addresses = known.ok ? known.value.status?.['addresses'] : undefined;
    if (Array.isArray(addresses) && addresses.length > 0)
      used.set(
        spelled,
        addresses.filter((one): one is string => typeof one === 'string'),
      );
  }
  const normal = normaliseSet(parsed.value, used, 'set');
  return normal.ok ? ok({ set: parsed.value, names: used, normal: normal.value }) : normal;
}

export function fitOf(given: Given, above: NormalSet | undefined, node: string): Fit {
  if (!above) return { within: true };
  const proof = prove(given.normal, [above]);
  if (proof.within) return proof;
  const sentence = sentenceOf(proof.witness, node);
  return { within: false, witness: proof.witness, filters: proof.inner, sentence };
}

/** "this would let 10.2.0.5 reach port 22 (tcp) of node-1, which the boundary above does not" */
export function sentenceOf({ direction, peer, protocol, port, oneway }: Witness, node: string): string {
  const what = port === null ? `by ${protocol}` : `at port ${port} (${protocol})`;
  const who = direction === 'in' ? `${peer} reach ${node} ${what}` : `${node} reach ${peer} ${what}`;
  const alone = oneway ? ', one way' : '';
  return `this would let ${who}${alone}, which the levels above do not`;
}

/** What a change would newly allow and newly refuse on a node. */
export async function differenceOn(
  book: NodeBook,
  node: string,
  given: Given,
): Promise<Result<Difference & { readonly version: number }>> {
  const reply = await book.request(node, { type: 'filters.read' });
  if (!reply.ok) return reply;
  const version = whole({ min: 0, max: Number.MAX_SAFE_INTEGER })(reply.value.result?.['version'], 'version');
  if (!version.ok) return version;
  const present = readGiven(book, reply.value.result?.['set'], reply.value.result?.['names']);
  const difference = present.ok ? diff(present.value.normal, given.normal) : present;
  return difference.ok ? ok({ ...difference.value, version: version.value }) : difference;
}

/** The levels as an explainer takes them: what stands above, and the set itself. */
export function levelsFor(given: Given, above: NormalSet | undefined): Result<readonly LevelBoxes[]> {
  const levels: LevelBoxes[] = [];
  for (const set of above ? [above, given.normal] : [given.normal]) {
    const compiled = compileSet(set);
    if (!compiled.ok) return compiled;
    levels.push(compiled.value);
  }
  return ok(levels);
}
