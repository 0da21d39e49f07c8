import { resolve } from 'node:path';
import { route, streamRoute, type AnyRoute } from '../../console/api/route.js';
import {
  flag,
  list,
  name,
  object,
  oneOf,
  optional,
  text,
  whole,
  wholeText,
  type Shape,
} from '../../console/api/shape.js';
import type { Groups } from '../../console/filters/groups.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { engineSettings, type EngineSettings } from '../../protocol/engines.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { ask, describeOn, engineOn, enginesOn } from './ask.js';
import { sendImage } from './images.js';
import { followLogs } from './logs.js';
import { onTargets, outcomes, targets, targetsIn, targetsText, trouble, troubleOf } from './outcomes.js';
import type { Rolls } from './roll.js';

const settings: Shape<EngineSettings> = {
  parse: engineSettings,
  schema: { type: 'object', description: 'how the engine is run, see docs/engines.md' },
};
const acts = ['start', 'stop', 'kill', 'restart', 'reload', 'pause', 'resume'] as const;
const rollView = object({
  id: text({ max: 22 }),
  engine: name,
  state: oneOf('rolling', 'done', 'returned', 'stuck'),
  steps: list(
    object({
      node: name,
      state: oneOf('waiting', 'updating', 'well', 'failed', 'returned', 'not-returned'),
      trouble: optional(trouble),
    }),
    { max: limits.group_nodes_max },
  ),
});

/** The tenant's software on one or many nodes. */
export function engineRoutes(parts: {
  readonly book: NodeBook;
  readonly groups: Groups;
  readonly rolls: Rolls;
}): AnyRoute[] {
  const { book, groups, rolls } = parts;
  const named = object({ name });
  return [
    route({
      method: 'GET',
      path: '/api/v1/engines',
      summary: 'The engines of these nodes, as the nodes say it now',
      role: 'view',
      query: object({ targets: optional(targetsText) }),
      reply: outcomes,
      handle: ({ query }) =>
        onTargets(
          groups,
          targetsIn(query, book),
          async (node) => enginesOn(book, node),
          (engines) => ({ engines: engines.map(({ said }) => said) }),
        ),
    }),
    route({
      method: 'GET',
      path: '/api/v1/engines/{name}',
      summary: 'One engine with its settings, on these nodes',
      role: 'view',
      params: named,
      query: object({ targets: targetsText }),
      reply: outcomes,
      handle: ({ params, query }) =>
        onTargets(groups, targetsIn(query, book), async (node) => {
          const one = await engineOn(book, node, params.name);
          if (!one.ok) return one;
          return one.value ? ok(one.value.engine.said) : refuse('engine-unknown', params.name);
        }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/images',
      summary: 'Bring an archive that lies on this machine to these nodes, sealed on the way',
      role: 'operate',
      body: object({ targets, path: text({ max: 4096 }), form: oneOf('oci-archive', 'plain-archive') }),
      reply: outcomes,
      handle: ({ body }) =>
        onTargets(
          groups,
          body.targets,
          async (node) => sendImage(book, node, resolve(body.path), body.form),
          (digest) => ({ digest }),
        ),
    }),
    route({
      method: 'GET',
      path: '/api/v1/images',
      summary: 'The images that are stored on these nodes',
      role: 'view',
      query: object({ targets: targetsText }),
      reply: outcomes,
      handle: ({ query }) =>
        onTargets(groups, targetsIn(query, book), async (node) => ask(book, node, { type: 'images.read' })),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/engines/{name}',
      summary:
        'Describe an engine on these nodes, and start it if so wanted; what runs goes on until its next start',
      role: 'operate',
      params: named,
      body: object({ targets, settings, start: optional(flag) }),
      reply: outcomes,
      handle: ({ params, body }) =>
        onTargets(groups, body.targets, async (node): Promise<Result<{ revision: number }>> => {
          const described = await describeOn(book, node, params.name, body.settings);
          if (!described.ok) return described;
          const { revision } = described.value;
          const started = body.start
            ? await ask(book, node, { type: 'engine.start', name: params.name })
            : ok({});
          return started.ok ? ok({ revision }) : started;
        }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/engines/{name}/{act}',
      summary: 'Start, stop, kill, restart, reload, pause or resume an engine on these nodes',
      role: 'operate',
      params: object({ name, act: oneOf(...acts) }),
      body: object({ targets, grace_s: optional(whole({ min: 0, max: limits.engine_grace_s_max })) }),
      reply: outcomes,
      handle({ params, body }) {
        const { act, name: engine } = params;
        const grace = body.grace_s === undefined ? {} : { grace_s: body.grace_s };
        const given = act === 'stop' || act === 'restart' || act === 'reload' ? grace : {};
        return onTargets(groups, body.targets, async (node) =>
          ask(book, node, { type: `engine.${act}`, name: engine, ...given }),
        );
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/engines/{name}/questions',
      summary:
        'Ask a thread or process of an engine on one node, which gave its name over the engine’s own socket',
      role: 'operate',
      params: named,
      body: object({
        node: name,
        of: text({ max: 64 }),
        text: text({ min: 0, max: limits.engine_words_chars_max }),
      }),
      reply: object({ text: text({ min: 0, max: limits.engine_words_chars_max }) }),
      async handle({ params, body }) {
        const { node, of, text: question } = body;
        const said = await ask(book, node, { type: 'engine.ask', name: params.name, of, text: question });
        return said.ok ? ok({ text: String(said.value['text']) }) : said;
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/engines/{name}',
      summary: 'Remove an engine from these nodes, with what it wrote and its logs',
      role: 'operate',
      params: named,
      query: object({ targets: targetsText }),
      reply: outcomes,
      handle: ({ params, query }) =>
        onTargets(groups, targetsIn(query, book), async (node) =>
          ask(book, node, { type: 'engine.remove', name: params.name }),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/v1/rolls',
      summary:
        'Update an engine on these nodes, some at a time, each only when those before run well; else all go back',
      role: 'operate',
      body: object({
        targets,
        engine: name,
        settings,
        atOnce: optional(whole({ min: 1, max: limits.group_nodes_max })),
        well_s: optional(whole({ min: 0, max: 3600 })),
        bound_s: optional(whole({ min: 1, max: 3600 })),
      }),
      reply: rollView,
      async handle({ body }) {
        const nodes = await groups.expand(body.targets);
        if (!nodes.ok) return nodes;
        const { engine, settings, atOnce = 1, well_s = 5, bound_s = 120 } = body;
        const times = { well_ms: well_s * 1000, bound_ms: bound_s * 1000 };
        const begun = rolls.begin({ engine, nodes: nodes.value, settings, atOnce, ...times });
        return begun.ok ? ok(viewOfRoll(begun.value)) : begun;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/rolls/{id}',
      summary: 'How far a rolling update is',
      role: 'view',
      params: object({ id: text({ max: 22 }) }),
      reply: rollView,
      handle: ({ params }) => {
        const roll = rolls.get(params.id);
        return Promise.resolve(roll.ok ? ok(viewOfRoll(roll.value)) : roll);
      },
    }),
    streamRoute({
      path: '/api/v1/engines/{name}/logs',
      summary: 'What an engine wrote on these nodes, interleaved',
      role: 'view',
      params: named,
      query: object({
        targets: targetsText,
        follow: optional(oneOf('yes')),
        since_ms: optional(wholeText({ min: 0, max: Number.MAX_SAFE_INTEGER })),
      }),
      event: object({
        node: name,
        text: optional(text({ min: 0, max: 2 ** 20 })),
        trouble: optional(trouble),
      }),
      start:
        ({ params, query }) =>
        (send, closed, done) => {
          const run = async (): Promise<void> => {
            const nodes = await groups.expand(query.targets.split(','));
            if (!nodes.ok) send({ node: 'none', trouble: troubleOf(nodes.refusal) });
            else
              await followLogs(book, nodes.value, {
                engine: params.name,
                follow: query.follow === 'yes',
                since_ms: query.since_ms,
                closed,
                line: (node, line) => send({ node, text: line }),
                trouble: (node, refusal) => send({ node, trouble: troubleOf(refusal) }),
              });
            done();
          };
          void run();
        },
    }),
  ];
}

function viewOfRoll(roll: ReturnType<Rolls['get']> extends Result<infer R> ? R : never) {
  return {
    ...roll,
    steps: roll.steps.map(({ node, state, trouble: said }) => ({
      node,
      state,
      ...(said ? { trouble: troubleOf(said) } : {}),
    })),
  };
}
