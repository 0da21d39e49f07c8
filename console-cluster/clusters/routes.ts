import { route, type Route } from '../../console/api/route.js';
import {
  flag,
  list,
  moment,
  name,
  nullable,
  object,
  oneOf,
  opaque,
  optional,
  text,
  whole,
} from '../../console/api/shape.js';
import type { Shape } from '../../console/api/shape.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ClusterBook } from './book.js';
import { sideText } from './compute.js';
import { draftWith, draftWithout, exceptionDraft, exceptionEnd, checkMembers } from './edits.js';
import { sideForm, type Boundary, type Side } from './record.js';

const reason = text({ max: limits.note_chars_max });
const side: Shape<Side> = {
  parse: sideForm,
  schema: {
    type: 'object',
    required: ['kind'],
    properties: {
      kind: { enum: ['cluster', 'node', 'outside'] },
      name: { type: 'string' },
      peers: { type: 'array', items: { type: 'string' } },
    },
  },
};
const outcome = object({
  change: text({ min: 0, max: 22 }),
  taken: list(name, { max: limits.nodes_max }),
  behind: list(name, { max: limits.nodes_max }),
});
const how = { dry: optional(flag), overDrift: optional(flag) };
const clusterView = object({
  name,
  members: list(name, { max: limits.cluster_nodes_max }),
  note: nullable(reason),
});
const exceptionView = object({
  id: text({ max: 22 }),
  from: text({ max: 30_000 }),
  to: text({ max: 30_000 }),
  both: flag,
  about: text({ max: 600 }),
  reason,
  madeBy: text({ max: 100 }),
  made: moment,
  until: nullable(moment),
  over: flag,
});
const boundaryView = object({
  node: name,
  cluster: nullable(name),
  state: oneOf('behind', 'in-step', 'drifted', 'refused'),
  version: nullable(whole({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  trouble: nullable(text({ max: 500 })),
  since: moment,
});

function boundaryLine(book: ClusterBook, node: string, { state, taken, trouble, since }: Boundary) {
  return {
    node,
    cluster: book.clusterOf(node) ?? null,
    state,
    version: taken?.version ?? null,
    trouble: trouble ? `${trouble.code} ${trouble.detail ?? ''}`.trim() : null,
    since,
  };
}

/** Which nodes belong together, and what is let through between them and others. */
export function clusterRoutes(book: ClusterBook, nodes: NodeBook, now: () => number): Route[] {
  const named = object({ name });
  return [
    route({
      method: 'GET',
      path: '/api/v1/clusters',
      summary: 'All clusters and their nodes',
      role: 'view',
      reply: object({ clusters: list(clusterView, { max: limits.clusters_max }) }),
      handle: () =>
        Promise.resolve(
          ok({
            clusters: [...book.plan.clusters].map(([name, { members, note }]) => ({
              name,
              members,
              note: note ?? null,
            })),
          }),
        ),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/clusters/{name}',
      summary: 'Set the nodes of a cluster; all nodes concerned take their new boundary, or none does',
      role: 'administer',
      params: named,
      body: object({
        members: list(name, { max: limits.cluster_nodes_max }),
        note: optional(reason),
        ...how,
      }),
      reply: outcome,
      handle: async ({ caller, params, body }) => {
        const { members, note, dry, overDrift } = body;
        const fits = checkMembers(book, nodes, params.name, members);
        if (!fits.ok) return fits;
        const cluster = { members: [...new Set(members)], ...(note === undefined ? {} : { note }) };
        const what = `cluster ${params.name}: ${members.join(' ')}`.slice(0, 300);
        return book.change(draftWith(book, params.name, cluster), { by: caller.name, what, dry, overDrift });
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/clusters/{name}',
      summary: 'Dissolve a cluster; its nodes talk to nobody but their consoles afterwards',
      role: 'administer',
      params: named,
      reply: outcome,
      handle: async ({ caller, params }) =>
        book.change(draftWithout(book, params.name), { by: caller.name, what: `dissolve ${params.name}` }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/exceptions',
      summary: 'What is let through between clusters and to the outside, with the reason and the end',
      role: 'view',
      reply: object({ exceptions: list(exceptionView, { max: limits.exceptions_max }) }),
      handle: () =>
        Promise.resolve(
          ok({
            exceptions: [...book.plan.exceptions].map(([id, one]) => ({
              id,
              from: sideText(one.from),
              to: sideText(one.to),
              both: one.both === 'yes',
              about:
                [one.service, one.protocol, ...(one.ports ?? [])].filter(Boolean).join(' ') || 'everything',
              reason: one.reason,
              madeBy: one.madeBy,
              made: one.made,
              until: one.until ?? null,
              over: one.until !== undefined && one.until <= now(),
            })),
          }),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/v1/exceptions',
      summary: 'Let something through between two sides; the first starts it, unless both may',
      role: 'administer',
      body: object({
        from: side,
        to: side,
        both: optional(flag),
        service: optional(text({ max: 40 })),
        protocol: optional(text({ max: 40 })),
        ports: optional(list(text({ max: 11 }), { min: 1, max: 64 })),
        reason,
        until: optional(moment),
        ...how,
      }),
      reply: outcome,
      handle: async ({ caller, body }) => {
        const { dry, overDrift, both, ...rest } = body;
        const exception = {
          ...rest,
          both: both ? ('yes' as const) : ('no' as const),
          madeBy: caller.name,
          made: now(),
        };
        const what = `let ${sideText(body.from)} reach ${sideText(body.to)}: ${body.reason}`.slice(0, 300);
        return book.change(exceptionDraft(book, exception), { by: caller.name, what, dry, overDrift });
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/exceptions/{id}',
      summary: 'End an exception',
      role: 'administer',
      params: object({ id: text({ max: 22 }) }),
      reply: outcome,
      handle: async ({ caller, params }) =>
        book.change(exceptionEnd(book, params.id), { by: caller.name, what: `end exception ${params.id}` }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/boundaries',
      summary: 'What every node should have and whether it has it',
      role: 'view',
      reply: object({ boundaries: list(boundaryView, { max: limits.nodes_max }) }),
      handle: () =>
        Promise.resolve(
          ok({ boundaries: [...book.boundaries].map(([node, one]) => boundaryLine(book, node, one)) }),
        ),
    }),
    route({
      method: 'GET',
      path: '/api/v1/boundaries/{name}',
      summary: 'The filters that a node should have, computed from its cluster and the exceptions',
      role: 'view',
      params: named,
      reply: object({ set: opaque('a filter set'), names: opaque('what its names stand for') }),
      handle: ({
        params,
      }): Promise<Result<{ set: Record<string, unknown>; names: Record<string, unknown> }>> => {
        const wanted = book.wanted(params.name);
        return Promise.resolve(
          wanted
            ? ok({ set: { ...wanted.set }, names: { ...wanted.names } })
            : refuse('not-found', `${params.name} is in no cluster`),
        );
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/boundaries/{name}/push',
      summary: 'Give a node what it should have, whatever stands there now',
      role: 'operate',
      params: named,
      reply: boundaryView,
      handle: async ({ params }) => {
        const pushed = await book.push(params.name);
        return pushed.ok ? ok(boundaryLine(book, params.name, pushed.value)) : pushed;
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/talks',
      summary: 'Who may talk to whom, cluster by cluster',
      role: 'view',
      reply: object({
        talks: list(
          object({
            from: text({ max: 30_000 }),
            to: text({ max: 30_000 }),
            about: text({ max: 600 }),
            both: flag,
            reason,
            exception: nullable(text({ max: 22 })),
            until: nullable(moment),
          }),
          { max: limits.exceptions_max + limits.clusters_max },
        ),
      }),
      handle: () => Promise.resolve(ok({ talks: book.talks() })),
    }),
  ];
}
