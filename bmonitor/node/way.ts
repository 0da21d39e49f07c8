import type { ConsoleWay } from '../../protocol/commands.js';
import { ok, type Result } from '../../protocol/result.js';
import { parseAddress } from '../filters/address.js';
import type { NormalFilter } from '../filters/model.js';
import { servicePoint, tcp } from '../filters/protocols.js';
import type { FilterState } from './filter-state.js';
import { normalMeeting } from './normal.js';

/**
 * The way of a console that asked for a change under confirmation. Undoing such a change restores this way alone: what else was closed
 * stays closed, so that nobody opens a node by keeping its console from confirming.
 */
export function wayFilter({ peer, port }: ConsoleWay, id: number): NormalFilter | undefined {
  const address = parseAddress(peer);
  if (!address) return undefined;
  const { family, value } = address;
  const point = servicePoint(tcp, port);
  const services = [{ lo: point, hi: point }];
  return {
    id,
    action: 'allow',
    first: true,
    directions: ['in'],
    oneway: false,
    peers: [{ family, lo: value, hi: value }],
    services: { 4: services, 6: services },
  };
}

/** Does a set let this console through, as far as its level is asked? */
export function passesWay(filters: FilterState, way: ConsoleWay): Result<boolean> {
  const asked = wayFilter(way, 0);
  if (!asked) return ok(false);
  const { restored } = filters;
  if (restored && restored.peer === way.peer && restored.port === way.port) return ok(true);
  const met = normalMeeting(filters, [asked]);
  if (!met.ok) return met;
  if (met.value.filters.some(({ action }) => action === 'deny')) return ok(false);
  return ok(filters.otherwise === 'inherit' || met.value.filters.some(({ oneway }) => !oneway));
}

/** The way that the console names, if it is the one on which it came and what stands lets it through. */
export function restorableWay(
  filters: FilterState,
  way: ConsoleWay | undefined,
  source: string | undefined,
): Result<ConsoleWay | undefined> {
  const [said, seen] = [way?.peer, source?.replace(/^::ffff:/u, '')].map((text) =>
    text === undefined ? undefined : parseAddress(text),
  );
  if (!way || !said || !seen || said.family !== seen.family || said.value !== seen.value)
    return ok(undefined);
  const passes = passesWay(filters, way);
  return passes.ok ? ok(passes.value ? way : undefined) : passes;
}
