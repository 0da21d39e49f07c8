import type { Command } from '../../protocol/commands.js';
import { roles } from '../../protocol/commands.js';
import { consoleCardForm, type ConsoleCard } from '../../protocol/console-card.js';
import { limits } from '../../protocol/limits.js';
import { ok, type Result } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import { digest, list, name, object, oneOf, opaque, optional, text, type Shape } from '../api/shape.js';
import type { NodeBook } from './book.js';

const label = text({
  max: limits.label_chars_max,
  pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  form: 'small letters, digits, dots and hyphens, with a letter or digit at both ends',
});
const labels = list(label, { max: limits.labels_per_node_max });
const cardShape: Shape<ConsoleCard> = {
  parse: consoleCardForm,
  schema: { type: 'object', description: 'a console card, as `init` of a console writes it' },
};

type Answer = Readonly<Record<string, unknown>>;

/** Who speaks for this level on a node, and by which labels the level knows it. */
export function rosterRoutes(book: NodeBook): Route[] {
  const params = object({ name });
  const reply = opaque('what the node answered');
  const ask = async (node: string, command: Command): Promise<Result<Answer>> => {
    const answered = await book.request(node, command);
    return answered.ok ? ok(answered.value.result ?? {}) : answered;
  };
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/roster',
      summary:
        'The consoles of this level on a node, every key ever enrolled, and this level’s labels for it',
      role: 'view',
      params,
      reply,
      async handle({ params: at }) {
        const node = book.get(at.name);
        if (!node.ok) return node;
        const read = await ask(at.name, { type: 'levels.read' });
        if (!read.ok) return read;
        const levels = read.value['levels'] as readonly Answer[];
        const own = levels[node.value.card.level] ?? {};
        const { consoles = [], everEnrolled = [], labels: given = [] } = own;
        return ok({ consoles, everEnrolled, labels: given });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/roster/consoles',
      summary:
        'Enrol one more console in this level on a node; `nodes`: only where the level gave these labels',
      role: 'administer',
      params,
      body: object({ card: cardShape, role: oneOf(...roles), nodes: optional(labels) }),
      reply,
      handle: ({ params: at, body }) =>
        ask(at.name, {
          type: 'consoles.add',
          console: {
            key: body.card.key,
            name: body.card.name,
            role: body.role,
            ...(body.nodes && body.nodes.length > 0 ? { nodes: body.nodes } : {}),
          },
        }),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/nodes/{name}/roster/consoles/{key}',
      summary: 'Take a console out of this level on a node; the last full administrator stays',
      role: 'administer',
      params: object({ name, key: digest }),
      reply,
      handle: ({ params: at }) => ask(at.name, { type: 'consoles.remove', key: at.key }),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/roster/labels',
      summary: 'Say by which labels this level knows a node, all of them',
      role: 'administer',
      params,
      body: object({ labels }),
      reply,
      handle: ({ params: at, body }) => ask(at.name, { type: 'node.label', labels: body.labels }),
    }),
  ];
}
