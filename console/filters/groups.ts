import { nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import * as shape from '../api/shape.js';
import type { NodeBook } from '../nodes/book.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';

const groupForm = object({ nodes: list(nameText, { max: limits.group_nodes_max }) });
const view = shape.object({
  name: shape.name,
  nodes: shape.list(shape.name, { max: limits.group_nodes_max }),
});

/** Names for several nodes at once, so that they can be given the same filters. */
export class Groups {
  readonly #records: Records<{ readonly nodes: readonly string[] }>;
  readonly #nodes: NodeBook;

  constructor(store: KeyStore, nodes: NodeBook) {
    this.#records = new Records(store, 'group/', groupForm);
    this.#nodes = nodes;
  }

  /** `node-1` and `group:web` become the names of nodes, each once. */
  async expand(targets: readonly string[]): Promise<Result<readonly string[]>> {
    const found = new Set<string>();
    for (const target of targets) {
      if (!target.startsWith('group:')) {
        const known = this.#nodes.get(target);
        if (!known.ok) return known;
        found.add(target);
        continue;
      }
      const group = await this.#records.get(target.slice(6));
      if (!group.ok) return group.refusal.code === 'not-found' ? refuse('not-found', `no ${target}`) : group;
      for (const node of group.value.value.nodes) found.add(node);
    }
    return ok([...found]);
  }

  routes(): Route[] {
    const named = shape.object({ name: shape.name });
    return [
      route({
        method: 'GET',
        path: '/api/v1/groups',
        summary: 'All groups of nodes',
        role: 'view',
        reply: shape.object({ groups: shape.list(view, { max: limits.groups_max }) }),
        handle: async () => {
          const all = await this.#records.all();
          return all.ok
            ? ok({ groups: all.value.map(({ name, value }) => ({ name, nodes: value.nodes })) })
            : all;
        },
      }),
      route({
        method: 'PUT',
        path: '/api/v1/groups/{name}',
        summary: 'Set the nodes of a group; their filters stay as they are',
        role: 'operate',
        params: named,
        body: shape.object({ nodes: shape.list(shape.name, { max: limits.group_nodes_max }) }),
        reply: view,
        handle: async ({ params, body }) => {
          for (const node of body.nodes) {
            const known = this.#nodes.get(node);
            if (!known.ok) return known;
          }
          const nodes = [...new Set(body.nodes)];
          const written = await this.#records.put(params.name, { nodes });
          return written.ok ? ok({ name: params.name, nodes }) : written;
        },
      }),
      route({
        method: 'DELETE',
        path: '/api/v1/groups/{name}',
        summary: 'Forget a group; its nodes and their filters stay as they are',
        role: 'operate',
        params: named,
        reply: shape.object({}),
        handle: async ({ params }) => {
          const found = await this.#records.get(params.name);
          if (!found.ok) return found;
          const removed = await this.#records.remove(params.name, found.value.revision);
          return removed.ok ? ok({}) : removed;
        },
      }),
    ];
  }
}
