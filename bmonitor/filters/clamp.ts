import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { rectsOf } from './compile.js';
import { spellRegion } from './diff.js';
import type {
  Direction,
  Filter,
  FilterSet,
  NormalFilter,
  NormalSet,
  PeerRange,
  ServiceRange,
} from './model.js';
import { anyAllowedPeers, mergePeers } from './normalise.js';
import { anyService, protocolsIn } from './protocols.js';
import { prove } from './prove.js';
import {
  passing,
  passingTogether,
  planes,
  RegionEffort,
  slabs,
  tooComplex,
  type Passing,
  type Plane,
  type Region,
} from './region.js';
import { subtract, type Rect } from './rects.js';
import { spellPeers, spellServices, type SpelledBox, type SpelledService } from './spell.js';

/**
 * The largest set that lies within those above: the set itself, with every allow filter that reaches outside replaced by
 * the pieces of it that are allowed. Denies stay as they are.
 */
export interface Clamped {
  readonly set: FilterSet;
  /** The indexes of the filters that were cut. */
  readonly changed: readonly number[];
  /** What was cut off. A box with `oneway: false` may still pass one way. */
  readonly cut: readonly SpelledBox[];
}

export function clamp(
  inner: { readonly set: FilterSet; readonly normal: NormalSet },
  outers: readonly NormalSet[],
): Result<Clamped> {
  if (prove(inner.normal, outers).within) return ok({ set: inner.set, changed: [], cut: [] });
  const effort = new RegionEffort();
  const above = passingTogether(outers, effort);
  if (!above.ok) return above;
  const denied = inner.normal.filters.filter((filter) => filter.action === 'deny');
  const own = passing({ ...inner.normal, otherwise: 'deny' });
  if (!own.ok) return own;
  const denials = passing({
    otherwise: 'deny',
    onRefuse: 'drop',
    filters: denied.map((filter) => ({ ...filter, action: 'allow', oneway: false })),
  });
  if (!denials.ok) return denials;
  const filters: Filter[] = [];
  const changed: number[] = [];
  for (const [index, filter] of inner.normal.filters.entries()) {
    const words = inner.set.filters[index];
    if (words === undefined) throw new Error('a normal set that is not of this set');
    if (filter.action === 'deny' || !reachesOutside(filter, above.value, denials.value.twoway, effort))
      filters.push(words);
    else {
      changed.push(index);
      for (const piece of piecesOf(filter, words, above.value, effort)) filters.push(piece);
    }
    if (effort.spent) return tooComplex();
    if (filters.length > limits.filters_per_set_max)
      return refuse('filters-too-complex', 'clamped, the set would have more filters than a set may have');
  }
  const cut = [
    ...spellRegion(own.value.twoway.minus(above.value.twoway, effort), false),
    ...spellRegion(own.value.oneway.minus(own.value.twoway, effort).minus(above.value.oneway, effort), true),
  ];
  if (effort.spent) return tooComplex();
  return ok({ set: { ...inner.set, filters }, changed, cut });
}

function reachesOutside(filter: NormalFilter, above: Passing, denied: Region, effort: RegionEffort): boolean {
  const allowed = filter.oneway ? above.oneway : above.twoway;
  for (const plane of planes)
    for (const rect of rectsOf(filter, plane.direction, plane.family))
      if (allowed.without(plane, rect, effort).some((left) => denied.without(plane, left, effort).length > 0))
        return true;
  return false;
}

/** The services that are allowed for a stretch of peers. */
interface Strip {
  readonly direction: Direction;
  readonly peers: PeerRange;
  readonly oneway: boolean;
  readonly services: readonly SpelledService[] | 'any';
  /** What is allowed one way only, or not at all, where `services` is `any` all the same. */
  readonly but: readonly SpelledService[];
}

function piecesOf(
  filter: NormalFilter,
  words: Filter,
  above: Passing,
  effort: RegionEffort,
): readonly Filter[] {
  const strips: Strip[] = [];
  for (const plane of planes) {
    const rects = [...rectsOf(filter, plane.direction, plane.family)];
    const oneway = rects.flatMap((rect) => above.oneway.within(plane, rect, effort));
    const twoway = filter.oneway ? [] : rects.flatMap((rect) => above.twoway.within(plane, rect, effort));
    const only = filter.oneway ? oneway : oneway.flatMap((rect) => effort.take(subtract(rect, twoway)));
    const mayDeny = filter.oneway || only.length === 0;
    for (const strip of stripsOf(plane, twoway, false, mayDeny)) strips.push(strip);
    for (const strip of stripsOf(plane, only, true, mayDeny)) strips.push(strip);
  }
  return joinStrips(strips, words);
}

/** Beyond this many whole protocols, `any` and denies say it shorter. */
const protocols_spelled_max = 16;

function stripsOf(plane: Plane, rects: readonly Rect[], oneway: boolean, mayDeny: boolean): readonly Strip[] {
  return slabs(rects).map(({ x1, x2, services: merged }) => {
    const peers = { family: plane.family, lo: BigInt(x1), hi: BigInt(x2) };
    const rest = gaps(merged);
    const base = { direction: plane.direction, peers, oneway };
    if (rest.length === 0) return { ...base, services: 'any', but: [] };
    // What is denied here must be refused above in both classes, and shorter to say than what is allowed.
    if (mayDeny && protocolsIn(merged) > protocols_spelled_max && protocolsIn(rest) < protocolsIn(merged))
      return { ...base, services: 'any', but: spellServices(rest, plane.family) };
    return { ...base, services: spellServices(merged, plane.family), but: [] };
  });
}

function gaps(services: readonly ServiceRange[]): readonly ServiceRange[] {
  const list: ServiceRange[] = [];
  let next = anyService.lo;
  for (const { lo, hi } of services) {
    if (lo > next) list.push({ lo: next, hi: lo - 1 });
    next = hi + 1;
  }
  if (next <= anyService.hi) list.push({ lo: next, hi: anyService.hi });
  return list;
}

interface Entry {
  readonly action: 'allow' | 'deny';
  readonly oneway: boolean;
  readonly service: SpelledService | undefined;
  readonly peers: Record<Direction, PeerRange[]>;
}

/** One filter for each protocol and ports; peers that share them share the filter. */
function joinStrips(strips: readonly Strip[], words: Filter): readonly Filter[] {
  const entries = new Map<string, Entry>();
  const put = (strip: Strip, action: 'allow' | 'deny', service: SpelledService | undefined): void => {
    const oneway = action === 'allow' && strip.oneway;
    const key = JSON.stringify([action, oneway, service?.protocol, service?.ports]);
    const entry = entries.get(key) ?? { action, oneway, service, peers: { in: [], out: [] } };
    entry.peers[strip.direction].push(strip.peers);
    entries.set(key, entry);
  };
  for (const strip of strips) {
    if (strip.services === 'any') put(strip, 'allow', undefined);
    else for (const service of strip.services) put(strip, 'allow', service);
    for (const service of strip.but) put(strip, 'deny', service);
  }
  return [...entries.values()].flatMap((entry) => filtersOf(entry, words));
}

function filtersOf(entry: Entry, words: Filter): readonly Filter[] {
  const spelled = (direction: Direction): string =>
    JSON.stringify(peerWords(entry.peers[direction], entry.action) ?? 'any');
  const sides: readonly (Direction | 'both')[] =
    spelled('in') === spelled('out')
      ? ['both']
      : (['in', 'out'] as const).filter((direction) => entry.peers[direction].length > 0);
  return sides.flatMap((side) => {
    const peers = peerWords(entry.peers[side === 'both' ? 'in' : side], entry.action);
    return chunks(peers).flatMap((peerPart) =>
      chunks(entry.service?.ports).map((portPart): Filter => ({
        action: entry.action,
        ...(side === 'both' ? {} : { direction: side }),
        ...(peerPart === undefined ? {} : { peers: peerPart }),
        ...(entry.service === undefined ? {} : { protocol: entry.service.protocol }),
        ...(portPart === undefined ? {} : { ports: portPart }),
        ...(entry.oneway ? { oneway: true } : {}),
        ...(words.note === undefined ? {} : { note: words.note }),
      })),
    );
  });
}

/** undefined: any peer. */
function peerWords(ranges: readonly PeerRange[], action: 'allow' | 'deny'): readonly string[] | undefined {
  const merged = mergePeers(ranges);
  const any = mergePeers(anyAllowedPeers);
  const all =
    action === 'allow' &&
    merged.length === any.length &&
    merged.every((range, index) => range.lo === any[index]?.lo && range.hi === any[index]?.hi);
  return all ? undefined : merged.flatMap(spellPeers);
}

function chunks<T>(list: readonly T[] | undefined): readonly (readonly T[] | undefined)[] {
  if (list === undefined) return [undefined];
  const parts: (readonly T[])[] = [];
  for (let at = 0; at < list.length; at += limits.list_entries_max)
    parts.push(list.slice(at, at + limits.list_entries_max));
  return parts;
}
