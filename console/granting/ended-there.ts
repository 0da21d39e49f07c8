import type { NodeBook } from '../nodes/book.js';
import { receiptTexts } from '../nodes/receipts.js';
import { fromB64u } from '../../crypto/bytes.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { list, object, opaqueObject, whole } from '../../protocol/parse.js';
import { ok, type Result } from '../../protocol/result.js';
import type { Lease } from './record.js';

export const chainForm = list(opaqueObject, { max: limits.levels_max });
const pageForm = object({
  from: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  last: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  receipts: receiptTexts,
});

/** What a node signed of the end of a lease that is not in its chain any more; undefined: it is there still. */
export async function endedThere(
  nodes: NodeBook,
  { node, lease }: Lease,
): Promise<Result<readonly string[] | undefined>> {
  const levels = await nodes.request(node, { type: 'levels.read' });
  if (!levels.ok) return levels;
  const chain = chainForm(levels.value.result?.['levels'], 'levels');
  if (!chain.ok) return chain;
  if (chain.value.some((one) => one['lease'] === lease)) return ok(undefined);
  const last = await page(nodes, node, Number.MAX_SAFE_INTEGER);
  if (!last.ok) return last;
  // The newest of them: it is taken up within seconds of the end, or of the node's return.
  const newest = await page(nodes, node, Math.max(1, last.value.last - limits.receipts_looked_at_max + 1));
  return newest.ok ? ok(newest.value.receipts.filter((jws) => saysEnd(jws, lease))) : newest;
}

async function page(nodes: NodeBook, node: string, from: number) {
  const reply = await nodes.request(node, {
    type: 'receipts.read',
    from,
    count: limits.receipts_looked_at_max,
  });
  return reply.ok ? pageForm(reply.value.result ?? {}, 'answer') : reply;
}

/** Only to choose among what comes; whoever keeps it verifies the signature. */
function saysEnd(jws: string, lease: string | undefined): boolean {
  const payload = fromB64u(jws.split('.')[1] ?? '');
  const json = payload ? parseJson(payload) : undefined;
  const said = json?.ok ? opaqueObject(json.value, 'receipt') : undefined;
  return said?.ok === true && said.value['act'] === 'end' && said.value['lease'] === lease;
}
