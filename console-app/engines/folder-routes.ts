import { route, type AnyRoute } from '../../console/api/route.js';
import { name, object } from '../../console/api/shape.js';
import type { Groups } from '../../console/filters/groups.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { ask, onEach } from './ask.js';
import { outcomes, outcomesOf, targetsText } from './outcomes.js';

/** Folders of the lease that engines mount, on one or many nodes: each node has its own. */
export function folderRoutes({
  book,
  groups,
}: {
  readonly book: NodeBook;
  readonly groups: Groups;
}): AnyRoute[] {
  const plain = (value: unknown): Record<string, unknown> => ({ ...(value as Record<string, unknown>) });
  const query = object({ targets: targetsText });
  return [
    route({
      method: 'GET',
      path: '/api/v1/folders',
      summary: 'The folders that engines mount on these nodes: how much is in each, and who mounts it',
      role: 'view',
      query,
      reply: outcomes,
      async handle({ query: { targets } }) {
        const nodes = await groups.expand(targets.split(','));
        if (!nodes.ok) return nodes;
        return outcomesOf(
          await onEach(nodes.value, async (node) => ask(book, node, { type: 'folders.read' })),
          plain,
        );
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/folders/{name}',
      summary: 'Destroy a folder with all that is in it, on these nodes; no engine may name it any more',
      role: 'operate',
      params: object({ name }),
      query,
      reply: outcomes,
      async handle({ params, query: { targets } }) {
        const nodes = await groups.expand(targets.split(','));
        if (!nodes.ok) return nodes;
        const done = await onEach(nodes.value, async (node) =>
          ask(book, node, { type: 'folder.remove', name: params.name }),
        );
        return outcomesOf(done, plain);
      },
    }),
  ];
}
