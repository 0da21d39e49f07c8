import { route, type AnyRoute } from '../../console/api/route.js';
import { flag, list, name, object, oneOf, optional, text, whole } from '../../console/api/shape.js';
import type { Groups } from '../../console/filters/groups.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { choose, type ScalePlan } from './choose.js';
import { targets, trouble, troubleOf } from './outcomes.js';
import { placesOn } from './places.js';
import type { Scaling, Scalings } from './scale.js';

const most = { max: limits.group_nodes_max };
const choices = list(object({ node: name, why: text({ min: 0, max: 4000 }) }), most);
const planView = object({
  keep: list(name, most),
  add: choices,
  /** To these of them the image has to be brought first. */
  bring: list(name, most),
  image: text({ max: 100 }),
  take: choices,
  passed: choices,
});
const stepStates = [
  'waiting',
  'starting',
  'well',
  'passed',
  'failed',
  'ending',
  'ended',
  'removed',
  'returned',
  'not-returned',
] as const;
const scalingView = object({
  id: text({ max: 22 }),
  engine: name,
  state: oneOf('scaling', 'done', 'short', 'returned', 'stuck'),
  steps: list(
    object({
      node: name,
      act: oneOf('add', 'take'),
      state: oneOf(...stepStates),
      trouble: optional(trouble),
    }),
    most,
  ),
});
const nodes = whole({ min: 0, max: limits.group_nodes_max });

interface Parts {
  readonly book: NodeBook;
  readonly groups: Groups;
  readonly scalings: Scalings;
}

/** How many nodes run an engine: the console says which, and makes it so. */
export function scaleRoutes({ book, groups, scalings }: Parts): AnyRoute[] {
  const planOf = async (body: {
    readonly engine: string;
    readonly targets: readonly string[];
    readonly nodes: number;
    readonly bring?: boolean;
  }): Promise<Result<ScalePlan>> => {
    const expanded = await groups.expand(body.targets);
    if (!expanded.ok) return expanded;
    const places = await placesOn(book, expanded.value, body.engine);
    return choose(body.engine, places, body.nodes, { bring: body.bring === true });
  };
  return [
    route({
      method: 'POST',
      path: '/api/v1/scalings/plan',
      summary:
        'Which nodes would be added or taken away so that this many of them run an engine; nothing is changed',
      role: 'view',
      body: object({ engine: name, targets, nodes, bring: optional(flag) }),
      reply: planView,
      async handle({ body }) {
        const plan = await planOf(body);
        return plan.ok ? ok(viewOfPlan(plan.value)) : plan;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/scalings',
      summary:
        'Make an engine run on this many of these nodes, exactly as it was planned; what is taken away is given its time to end',
      role: 'operate',
      body: object({
        engine: name,
        targets,
        nodes,
        /** The nodes of the plan that was looked at; when it would be others now, nothing is done. */
        add: list(name, most),
        take: list(name, most),
        atOnce: optional(whole({ min: 1, max: limits.group_nodes_max })),
        well_s: optional(whole({ min: 0, max: 3600 })),
        bound_s: optional(whole({ min: 1, max: 3600 })),
        grace_s: optional(whole({ min: 0, max: limits.engine_grace_s_max })),
        remove: optional(flag),
      }),
      reply: scalingView,
      async handle({ body }) {
        const planned = await planOf(body);
        if (!planned.ok) return planned;
        const plan = planned.value;
        const same = (shown: readonly string[], now: readonly { readonly node: string }[]): boolean =>
          shown.length === now.length && now.every(({ node }) => shown.includes(node));
        if (!same(body.add, plan.add) || !same(body.take, plan.take)) {
          const [add, take] = [plan.add, plan.take].map((all) => all.map(({ node }) => node).join(' '));
          return refuse('plan-changed', `now it would add: ${add || 'none'}; take away: ${take || 'none'}`);
        }
        const { engine, atOnce = 1, well_s = 5, bound_s = 120, grace_s, remove = false } = body;
        const times = { well_ms: well_s * 1000, bound_ms: bound_s * 1000 };
        const grace = grace_s === undefined ? {} : { grace_s };
        const begun = scalings.begin({ engine, plan, atOnce, ...times, ...grace, remove });
        return begun.ok ? ok(viewOf(begun.value)) : begun;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/scalings/{id}',
      summary: 'How far it is with making an engine run on more or fewer nodes',
      role: 'view',
      params: object({ id: text({ max: 22 }) }),
      reply: scalingView,
      handle: ({ params }) => {
        const found = scalings.get(params.id);
        return Promise.resolve(found.ok ? ok(viewOf(found.value)) : found);
      },
    }),
  ];
}

function viewOfPlan({ settings, keep, add, bring, take, passed }: ScalePlan) {
  const shown = (all: ScalePlan['add']) => all.map(({ node, why }) => ({ node, why: why.slice(0, 4000) }));
  return { keep, bring, image: settings.image, add: shown(add), take: shown(take), passed: shown(passed) };
}

function viewOf(scaling: Scaling) {
  return {
    ...scaling,
    steps: scaling.steps.map(({ trouble: said, ...step }) => ({
      ...step,
      ...(said ? { trouble: troubleOf(said) } : {}),
    })),
  };
}
