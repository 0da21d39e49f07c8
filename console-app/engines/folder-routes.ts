import { route, type AnyRoute } from '../../console/api/route.js';
import { name, object } from '../../console/api/shape.js';
import type { Groups } from '../../console/filters/groups.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { ask } from './ask.js';
import { onTargets, outcomes, targetsIn, targetsText } from './outcomes.js';

/** Folders of the lease that engines mount, on one or many nodes: each node has its own. */
export function folderRoutes({
  book,
  groups,
}: {
  readonly book: NodeBook;
  readonly groups: Groups;
}): AnyRoute[] {
  const query = object({ targets: targetsText });
  return [
    route({
      method: 'GET',
      path: '/api/v1/folders',
      summary: 'The folders that engines mount on these nodes: how much is in each, and who mounts it',
      role: 'view',
      query,
      reply: outcomes,
      handle: ({ query: at }) =>
        onTargets(groups, targetsIn(at, book), async (node) => ask(book, node, { type: 'folders.read' })),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/folders/{name}',
      summary: 'Destroy a folder with all that is in it, on these nodes; no engine may name it any more',
      role: 'operate',
      params: object({ name }),
      query,
      reply: outcomes,
      handle: ({ params, query: at }) =>
        onTargets(groups, targetsIn(at, book), async (node) =>
          ask(book, node, { type: 'folder.remove', name: params.name }),
        ),
    }),
  ];
}
