import { ok, refuse } from '../../protocol/result.js';
import { route, type Route } from '../api/route.js';
import { digest, list, name, object, oneOf, opaque, optional, text } from '../api/shape.js';
import type { NodeBook } from './book.js';
import type { Boots } from './boots.js';
import { askBlindness, wordsOf } from './proving.js';

/** What a node proves of its keys, and what it measures. */
export function proofRoutes(book: NodeBook, boots: Boots): Route[] {
  const named = object({ name });
  return [
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/blindness',
      summary: 'Have a node prove which keys open the data of this level, and check the proof',
      role: 'view',
      params: named,
      reply: object({
        result: oneOf('tried', 'no-key'),
        means: list(text({ max: 1000 }), { max: 4 }),
        proof: text({ max: 65_536 }),
        trials: opaque('which keys were tried together, and whether they opened the data'),
      }),
      async handle({ params }) {
        const node = book.get(params.name);
        if (!node.ok) return node;
        const asked = await askBlindness(node.value.card, (command) => book.request(params.name, command));
        if (!asked.ok) return asked;
        const { proof, checked } = asked.value;
        const { result, trials = [] } = checked;
        return ok({ result, means: [...wordsOf(checked)], proof, trials: { tried: trials } });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/measurement',
      summary:
        'What a node measures; this level’s word on what it may measure after an update; what this console accepts',
      role: 'administer',
      params: named,
      body: object({ act: oneOf('read', 'approve', 'withdraw', 'accept'), digest: optional(digest) }),
      reply: opaque('what the node answered'),
      async handle({ params, body }) {
        const { act } = body;
        // What this console approves it will also send its share to.
        if (body.digest !== undefined && (act === 'accept' || act === 'approve')) {
          const accepted = await (act === 'accept'
            ? boots.accept(params.name, body.digest)
            : boots.acceptBesides(params.name, body.digest));
          if (!accepted.ok) return accepted;
        }
        if (act === 'accept')
          return body.digest === undefined
            ? refuse('bad-input', 'which', { where: 'digest' })
            : ok({ accepted: body.digest });
        const reply = await book.request(
          params.name,
          act === 'approve'
            ? { type: 'measurement.approve', digest: body.digest ?? '' }
            : { type: `measurement.${act}` },
        );
        return reply.ok ? ok(reply.value.result ?? {}) : reply;
      },
    }),
  ];
}
