import { route, type AnyRoute } from '../../console/api/route.js';
import { object, optional, text } from '../../console/api/shape.js';
import type { Groups } from '../../console/filters/groups.js';
import { Boots } from '../../console/nodes/boots.js';
import type { NodeBook } from '../../console/nodes/book.js';
import type { KeyStore } from '../../console/store/port.js';
import { fromB64u } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { sealSecret, secretName } from '../../protocol/engine-secrets.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { ask } from './ask.js';
import { onTargets, outcomes, targets, targetsIn, targetsText } from './outcomes.js';

const named = object({ name: { parse: secretName, schema: { type: 'string', maxLength: 64 } } });

/** Secrets of engines. They are sealed for each node here, and never kept by the console. */
export function secretRoutes({
  book,
  groups,
  store,
}: {
  readonly book: NodeBook;
  readonly groups: Groups;
  readonly store: KeyStore;
}): AnyRoute[] {
  const boots = new Boots({ book, store });
  return [
    route({
      method: 'GET',
      path: '/api/v1/engine-secrets',
      summary: 'The names of the secrets that these nodes keep for engines, and which engines may know them',
      role: 'view',
      query: object({ targets: optional(targetsText) }),
      reply: outcomes,
      handle: ({ query }) =>
        onTargets(groups, targetsIn(query, book), async (node) => ask(book, node, { type: 'secrets.read' })),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/engine-secrets/{name}',
      summary: 'Set a secret of engines on these nodes; engines that have it are given the new one',
      role: 'operate',
      params: named,
      body: object({
        targets,
        value: text({ min: 0, max: limits.engine_secret_bytes_max * 2, about: 'base64url' }),
      }),
      reply: outcomes,
      async handle({ params, body }) {
        const bytes = fromB64u(body.value);
        if (!bytes || bytes.length > limits.engine_secret_bytes_max)
          return refuse('too-large', `at most ${limits.engine_secret_bytes_max} bytes, in base64url`);
        const secret = Secret.take(bytes);
        try {
          return await onTargets(groups, body.targets, async (node) =>
            setOn({ book, boots }, node, params.name, secret),
          );
        } finally {
          secret.wipe();
        }
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/engine-secrets/{name}',
      summary: 'Destroy a secret of engines on these nodes',
      role: 'operate',
      params: named,
      query: object({ targets: targetsText }),
      reply: outcomes,
      handle: ({ params, query }) =>
        onTargets(groups, targetsIn(query, book), async (node) =>
          ask(book, node, { type: 'secret.remove', name: params.name }),
        ),
    }),
  ];
}

async function setOn(
  { book, boots }: { readonly book: NodeBook; readonly boots: Boots },
  node: string,
  secret: string,
  value: Secret,
): Promise<Result<Readonly<Record<string, unknown>>>> {
  const known = book.get(node);
  if (!known.ok) return known;
  const { card } = known.value;
  const boot = await boots.of(card);
  if (!boot.ok) return boot;
  const sealed = await sealSecret(boot.value, { lease: card.lease, name: secret }, value);
  const reply = await ask(book, node, { type: 'secret.set', name: secret, value: sealed });
  return reply.ok ? ok({ revision: reply.value['revision'] }) : reply;
}
