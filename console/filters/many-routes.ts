import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import {
  flag,
  list,
  map,
  name,
  nullable,
  object,
  oneOf,
  opaque,
  optional,
  text,
  whole,
} from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';
import { isReached } from '../nodes/state.js';
import { differenceOn, fitOf, readGiven, setAbove, type Fit, type Given } from './fit.js';
import type { Groups } from './groups.js';
import { filtersDigest, forEach, versionIn } from './push.js';
import { keepTogether, takeBackTogether, tryTogether, type Target } from './together.js';

const targets = list(text({ max: 80 }), { min: 1, max: limits.group_nodes_max });
const set = opaque('a filter set, see docs/filters.md');
const names = optional(opaque('what the names in it stand for; nodes of this console are known'));
const given = { targets, set, names };
const box = object({
  direction: oneOf('in', 'out'),
  oneway: flag,
  peers: text({ max: 100 }),
  protocol: text({ max: 20 }),
  ports: nullable(text({ max: 20 })),
});
const version = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const fit = object({
  node: name,
  within: nullable(flag),
  sentence: nullable(text({ max: 400 })),
  filters: list(whole({ min: 0, max: limits.filters_per_set_max }), { max: limits.filters_per_set_max }),
  trouble: nullable(text({ max: 400 })),
});

interface Asked {
  readonly targets: readonly string[];
  readonly set: unknown;
  readonly names?: unknown;
}

/** Filters for several nodes at once: looked at before, and taken by all of them or by none. */
export function manyFilterRoutes(book: NodeBook, groups: Groups): Route[] {
  const read = async (body: Asked): Promise<Result<{ given: Given; nodes: readonly string[] }>> => {
    const nodes = await groups.expand(body.targets);
    if (!nodes.ok) return nodes;
    const parsed = readGiven(book, body.set, body.names);
    return parsed.ok ? ok({ given: parsed.value, nodes: nodes.value }) : parsed;
  };
  return [
    route({
      method: 'POST',
      path: '/api/v1/filters/check',
      summary: 'Does a set fit on these nodes? If not, a packet that shows it, and a sentence that says it',
      role: 'view',
      body: object(given),
      reply: object({
        fits: list(fit, { max: limits.group_nodes_max }),
        /** What its names stand for, those too that are known here. */
        names: opaque('names with their addresses'),
      }),
      async handle({ body }) {
        const asked = await read(body);
        if (!asked.ok) return asked;
        const fits = await forEach(asked.value.nodes, async (node) => {
          const above = await setAbove(book, node);
          return above.ok
            ? fitView(node, fitOf(asked.value.given, above.value, node))
            : unknownFit(node, above.refusal);
        });
        return ok({ fits, names: Object.fromEntries(asked.value.given.names) });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/filters/difference',
      summary: 'What a set would newly allow and newly refuse on these nodes',
      role: 'view',
      body: object(given),
      reply: object({
        differences: map(
          object({
            allowed: list(box, { max: limits.passed_boxes_max }),
            refused: list(box, { max: limits.passed_boxes_max }),
            /** Of the set that stands there now. */
            version,
          }),
          { max: limits.group_nodes_max },
        ),
      }),
      async handle({ body }) {
        const asked = await read(body);
        if (!asked.ok) return asked;
        const differences: Record<string, { allowed: BoxView[]; refused: BoxView[]; version: number }> = {};
        for (const node of asked.value.nodes) {
          const found = await differenceOn(book, node, asked.value.given);
          if (!found.ok) return refuse(found.refusal.code, `${node}: ${found.refusal.detail ?? ''}`);
          differences[node] = {
            allowed: found.value.allowed.map(boxView),
            refused: found.value.refused.map(boxView),
            version: found.value.version,
          };
        }
        return ok({ differences });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/filters/apply',
      summary: 'Give several nodes the same filters: all of them take them, or none does',
      role: 'operate',
      body: object({
        ...given,
        /** Of each node, the version that was looked at: when another stands there now, no node takes it. */
        expect: optional(map(version, { max: limits.group_nodes_max })),
      }),
      reply: object({ versions: map(version, { max: limits.group_nodes_max }) }),
      async handle({ body }) {
        const asked = await read(body);
        if (!asked.ok) return asked;
        return applyTogether(book, asked.value.nodes, asked.value.given, body.expect);
      },
    }),
  ];
}

/** A node that does not answer counts as a refusal here: whoever narrows its own nodes wants to know that all have it. */
async function applyTogether(
  book: NodeBook,
  nodes: readonly string[],
  { set, names }: Given,
  seen: Readonly<Record<string, number>> = {},
): Promise<Result<{ versions: Record<string, number> }>> {
  const plain = Object.fromEntries(names);
  const wanted = { set, names: plain, digest: filtersDigest(set, plain) ?? '' };
  const targets: Target[] = [];
  for (const node of nodes) {
    const known = book.get(node);
    if (!known.ok) return known;
    const expect = seen[node] ?? versionIn(known.value);
    if (expect === undefined || !isReached(known.value.state))
      return refuse('unreachable', `${node} is ${known.value.state}`);
    targets.push({ node, wanted, expect });
  }
  const tried = await tryTogether(book, targets);
  if (!tried.ok) return tried;
  const missing = nodes.filter((node) => !tried.value.has(node));
  if (missing.length > 0) {
    await takeBackTogether(book, tried.value);
    return refuse('unreachable', `${missing.join(' ')}: so no node has it`);
  }
  const kept = await keepTogether(tried.value);
  const lost = nodes.filter((node) => !kept.includes(node));
  if (lost.length > 0) return refuse('filters-unconfirmed', lost.join(' '), { data: { nodes: lost } });
  return ok({
    versions: Object.fromEntries([...tried.value].map(([node, { version }]) => [node, version])),
  });
}

interface BoxView {
  readonly direction: 'in' | 'out';
  readonly oneway: boolean;
  readonly peers: string;
  readonly protocol: string;
  readonly ports: string | null;
}

function boxView(one: Omit<BoxView, 'protocol'> & { readonly protocol: string | number }): BoxView {
  const { direction, oneway, peers, ports } = one;
  return { direction, oneway, peers, protocol: String(one.protocol), ports };
}

function fitView(node: string, found: Fit) {
  return found.within
    ? { node, within: true, sentence: null, filters: [], trouble: null }
    : { node, within: false, sentence: found.sentence, filters: found.filters, trouble: null };
}

function unknownFit(node: string, { code, detail }: { readonly code: string; readonly detail?: string }) {
  return { node, within: null, sentence: null, filters: [], trouble: `${code} ${detail ?? ''}`.trim() };
}
