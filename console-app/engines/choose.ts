import { isDeepStrictEqual } from 'node:util';
import { mostMemory_mb, type EngineSettings } from '../../protocol/engines.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { Described } from './ask.js';

/** What one node said when it was asked. `trouble`: nothing, so that nobody knows what is there. */
export interface Place {
  readonly node: string;
  readonly trouble?: Refusal;
  readonly there?: Described;
  /** What is left for engines; absent: the node does not say it. */
  readonly left_mb?: number;
  /** The digests of the images that are stored there. */
  readonly images: ReadonlySet<string>;
}

/** A node with what speaks for or against it, in words. */
export interface Choice {
  readonly node: string;
  readonly why: string;
}

export interface ScalePlan {
  /** What runs everywhere. */
  readonly settings: EngineSettings;
  readonly keep: readonly string[];
  readonly add: readonly Choice[];
  /** Of those to add, the ones to which the image has to be brought first. */
  readonly bring: readonly string[];
  /** The next best, should one of those to add not take it. */
  readonly spare: readonly string[];
  readonly take: readonly Choice[];
  /** Nodes that cannot be taken, or of which nothing is known. */
  readonly passed: readonly Choice[];
}

const wantedIn = ({ there }: Place): boolean =>
  there !== undefined && there.engine.said['wanted'] !== 'stopped';

/**
 * Which nodes run an engine when so many are to run it. Those that have it stay; to add, the nodes where it only has to be started come first, then those with the
 * image, then those that can be given it, each with the most memory left first; to take away, those go first where it is not well, then where memory is short.
 */
export function choose(
  engine: string,
  places: readonly Place[],
  wanted: number,
  options: { readonly bring: boolean },
): Result<ScalePlan> {
  const settings = settingsOf(engine, places);
  if (!settings.ok) return settings;
  const running = places.filter(wantedIn);
  const unknown = places.flatMap(({ node, trouble }) =>
    trouble ? [{ node, why: `unknown: ${trouble.code} ${trouble.detail ?? ''}`.trim() }] : [],
  );
  const common = { settings: settings.value, bring: [], spare: [], passed: unknown };
  if (wanted <= running.length) {
    const going = running.toSorted(lastFirst).slice(0, running.length - wanted);
    const keep = running.filter((place) => !going.includes(place)).map(({ node }) => node);
    return ok({
      ...common,
      keep,
      add: [],
      take: going.map((place) => ({ node: place.node, why: wellnessOf(place) })),
    });
  }
  const free = places.filter((place) => !place.trouble && !wantedIn(place));
  const judged = free.map((place) => ({ place, ...judge(place, settings.value, options.bring) }));
  const able = judged
    .filter(({ may }) => may)
    .toSorted((a, b) => bestFirst(a.place, b.place, settings.value));
  const passed = [
    ...unknown,
    ...judged.filter(({ may }) => !may).map(({ place, why }) => ({ node: place.node, why })),
  ];
  const needed = wanted - running.length;
  if (able.length < needed)
    return refuse(
      'no-place',
      [
        `${engine} runs on ${running.length}, ${able.length} more could, ${wanted} are wanted`,
        ...passed.map(told),
      ].join('; '),
    );
  const add = able.slice(0, needed);
  return ok({
    ...common,
    keep: running.map(({ node }) => node),
    add: add.map(({ place, why }) => ({ node: place.node, why })),
    bring: add.filter(({ place }) => !place.images.has(settings.value.image)).map(({ place }) => place.node),
    spare: able
      .slice(needed)
      .filter(({ place }) => place.images.has(settings.value.image))
      .map(({ place }) => place.node),
    take: [],
    passed,
  });
}

const told = ({ node, why }: Choice): string => `${node}: ${why}`;

/** By what runs, else by what is described: it must be one and the same. */
function settingsOf(engine: string, places: readonly Place[]): Result<EngineSettings> {
  const running = places.filter(wantedIn);
  const having = running.length > 0 ? running : places.filter(({ there }) => there);
  const [first, ...others] = having;
  if (!first?.there)
    return refuse('engine-unknown', `${engine} is on none of these nodes: deploy it to one first`);
  const { settings } = first.there;
  const other = others.filter(({ there }) => !isDeepStrictEqual(there?.settings, settings));
  return other.length === 0
    ? ok(settings)
    : refuse('engine-differs', `${other.map(({ node }) => node).join(', ')} not as on ${first.node}`);
}

function judge(
  place: Place,
  settings: EngineSettings,
  bring: boolean,
): { readonly may: boolean; readonly why: string } {
  const needs = mostMemory_mb(settings);
  if (place.left_mb === undefined) return { may: false, why: 'it does not say what memory it has left' };
  const room = `${place.left_mb} MiB left for engines, it may take ${needs}`;
  if (place.left_mb < needs) return { may: false, why: room };
  if (!place.images.has(settings.image) && !bring) return { may: false, why: 'its image is not there' };
  return { may: true, why: place.there ? `stopped there; ${room}` : room };
}

function bestFirst(a: Place, b: Place, settings: EngineSettings): number {
  const rank = (place: Place): number => {
    if (isDeepStrictEqual(place.there?.settings, settings)) return 0;
    return place.images.has(settings.image) ? 1 : 2;
  };
  return rank(a) - rank(b) || (b.left_mb ?? 0) - (a.left_mb ?? 0) || (a.node < b.node ? -1 : 1);
}

function wellnessOf({ there }: Place): string {
  const { state = 'unknown', health } = there?.engine ?? {};
  return health === undefined ? state : `${state}, its probes say ${health}`;
}

/** Who goes first: what is not well helps nobody. */
function lastFirst(a: Place, b: Place): number {
  const rank = ({ there }: Place): number => {
    if (there?.engine.state !== 'running' || there.engine.health === 'bad') return 0;
    return there.engine.health === 'unknown' ? 1 : 2;
  };
  return rank(a) - rank(b) || (a.left_mb ?? 0) - (b.left_mb ?? 0) || (a.node < b.node ? 1 : -1);
}
