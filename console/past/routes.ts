import { limits } from '../../protocol/limits.js';
import { ok } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import {
  digest,
  flag,
  list,
  moment,
  name,
  nullable,
  object,
  oneOf,
  optional,
  text,
  whole,
  wholeText,
  type ShapeOf,
} from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';
import type { Groups } from '../filters/groups.js';
import type { CatchUp } from './catch-up.js';
import type { Presence } from './presence.js';
import type { Caught } from './record.js';

const count = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const trouble = object({ code: text({ max: 64 }), detail: text({ min: 0, max: 2000 }) });

const entry = object({
  node: name,
  seq: count,
  time: moment,
  command: text({ max: 100 }),
  /** A console by its thumbprint, or a node that did it by itself. */
  by: text({ min: 0, max: 64 }),
  level: nullable(whole({ min: 0, max: limits.levels_max - 1 })),
  /** Was the command's own signature checked, or is its signer not known here, or is it not ours to see? */
  signed: oneOf('good', 'signer-unknown', 'none'),
  outcome: text({ min: 0, max: limits.past_outcome_chars_max }),
});
export type PastEntry = ShapeOf<typeof entry>;

const state = object({
  node: name,
  lease: text({ max: 22 }),
  /** Until when, by this console's clock, everything is known; null: nothing is. */
  at: nullable(moment),
  head: nullable(count),
  missing: list(
    object({
      from: count,
      to: count,
      why: oneOf('trimmed', 'not-kept'),
      by: nullable(digest),
      time: nullable(moment),
    }),
    { max: limits.past_gaps_kept_max },
  ),
  /** The node's history is not the one that was seen before. */
  fork: nullable(
    object({
      at: moment,
      detail: text({ min: 0, max: 2000 }),
      before: nullable(text({ max: 8192 })),
      now: nullable(text({ max: 8192 })),
    }),
  ),
  /** Why nothing newer is known. */
  trouble: nullable(trouble),
});
export type PastState = ShapeOf<typeof state>;

const away = list(object({ from: moment, until: moment }), { max: limits.past_presences_kept_max });

interface Parts {
  readonly catchUp: CatchUp;
  readonly presence: Presence;
  readonly book: NodeBook;
  readonly groups: Groups;
  readonly now: () => number;
}

export function pastRoutes({ catchUp, presence, book, groups, now }: Parts): Route[] {
  const targetsText = text({ max: 64 * 1024 });
  const expand = async (targets: string | undefined) =>
    targets === undefined
      ? ok(book.list().map(({ card }) => card.name))
      : groups.expand(targets.split(',').filter((one) => one !== ''));
  const stateOf = async (node: string): Promise<PastState | undefined> => {
    const known = book.get(node);
    if (!known.ok) return undefined;
    const { card, refusal, state: seen } = known.value;
    const caught = await catchUp.known(card.lease);
    const why = catchUp.trouble(node) ?? (seen === 'good' ? undefined : refusal);
    return {
      node,
      lease: card.lease,
      at: caught?.at ?? null,
      head: caught?.head.seq ?? null,
      missing: (caught?.missing ?? []).map(({ by, time, ...gap }) => ({
        ...gap,
        by: by ?? null,
        time: time ?? null,
      })),
      fork: forkOf(caught),
      trouble: why ? { code: why.code, detail: (why.detail ?? '').slice(0, 2000) } : null,
    };
  };
  return [
    route({
      method: 'GET',
      path: '/api/v1/past',
      summary:
        'What happened on these nodes, as fetched from their histories, and what can no longer be known',
      role: 'view',
      query: object({
        targets: optional(targetsText),
        since_ms: optional(wholeText({ min: 0, max: 32_503_680_000_000 })),
        most: optional(wholeText({ min: 0, max: limits.past_shown_max })),
      }),
      reply: object({
        now: moment,
        away,
        nodes: list(state, { max: limits.nodes_max }),
        entries: list(entry, { max: limits.past_shown_max }),
        more: flag,
      }),
      async handle({ query }) {
        const nodes = await expand(query.targets);
        if (!nodes.ok) return nodes;
        const { since_ms = 0, most = limits.past_shown_max } = query;
        const states = (await Promise.all(nodes.value.map(stateOf))).filter((one) => one !== undefined);
        const entries: PastEntry[] = [];
        let more = false;
        for (const { node, lease } of states) {
          const found = await catchUp.chapters.since(lease, since_ms, most);
          if (!found.ok) return found;
          more ||= found.value.more;
          for (const { by, ...one } of found.value.entries)
            entries.push({ node, ...one, by: by.console ?? by.node ?? '', level: by.level ?? null });
        }
        entries.sort((a, b) => a.time - b.time || a.seq - b.seq);
        const shown = most === 0 ? [] : entries.slice(-most);
        more ||= shown.length < entries.length;
        return ok({ now: now(), away: [...presence.away], nodes: states, entries: shown, more });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/past',
      summary: 'Fetch now what happened on these nodes',
      role: 'view',
      body: object({ targets: optional(targetsText) }),
      reply: object({
        nodes: list(object({ node: name, fresh: count, trouble: nullable(trouble) }), {
          max: limits.nodes_max,
        }),
      }),
      async handle({ body }) {
        const nodes = await expand(body.targets);
        if (!nodes.ok) return nodes;
        const done = await Promise.all(nodes.value.map(async (node) => catchUp.fetch(node)));
        return ok({
          nodes: done.map(({ node, fresh, trouble: why }) => ({
            node,
            fresh,
            trouble: why ? { code: why.code, detail: (why.detail ?? '').slice(0, 2000) } : null,
          })),
        });
      },
    }),
  ];
}

function forkOf(caught: Caught | undefined): PastState['fork'] {
  if (!caught?.fork) return null;
  const { at, detail, before, now } = caught.fork;
  return { at, detail, before: before ?? null, now: now ?? null };
}
