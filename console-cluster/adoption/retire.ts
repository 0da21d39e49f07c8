import type { NodeBook } from '../../console/nodes/book.js';
import { provenReceipts, receiptTexts } from '../../console/nodes/receipts.js';
import { makePair, rsaBits, type Pair } from '../../crypto/rsa.js';
import type { Log } from '../../protocol/log.js';
import { opaqueObject } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { isOver, type LeaseBook } from '../../console/granting/book.js';
import type { ClusterBook } from '../clusters/book.js';
import { askOnce, handedOn } from '../sales/handed-on.js';
import type { Inventory } from './inventory.js';

export interface Retiring {
  readonly nodes: NodeBook;
  readonly inventory: Inventory;
  readonly leases: LeaseBook;
  readonly clusters: ClusterBook;
  readonly pair: Pair;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * A node forgets its landlord: level 0 is transferred to a key whose private half is thrown away here, so that every lease ends, every key is
 * destroyed with a receipt, its filters close, and nobody can ever command it. At the machine, `bmonitor pair --anew` makes another node of it.
 */
export async function retireNode(name: string, by: string, parts: Retiring): Promise<Result<Retired>> {
  const { nodes, leases, pair, log } = parts;
  const node = nodes.get(name);
  if (!node.ok) return node;
  const { card } = node.value;
  if (card.level !== 0) return refuse('not-permitted', 'only the landlord of a node retires it');
  const levels = await askOnce(nodes, name, { type: 'levels.read' });
  // It forgot us when the answer to that was lost: all that is left to do is here.
  const gone = levels.ok ? undefined : await handedOn(pair, card, levels.refusal);
  if (gone) return forgetNode(name, by, { ended: [], receipts: gone.receipts }, parts);
  if (!levels.ok) return levels;
  const ended = await endLease(name, leases);
  if (!ended.ok) return ended;
  const left = await askOnce(nodes, name, { type: 'levels.read' });
  if (!left.ok) return left;
  const destroys = leasesIn(left.value.result?.['levels']);
  const nobody = await makePair(rsaBits.normal);
  const reply = await askOnce(nodes, name, {
    type: 'node.transfer',
    to: [{ key: nobody.public.jwk, name: 'retired', role: 'administrator' }],
    below: 'end',
    destroys,
  });
  if (!reply.ok) return reply;
  const given = receiptTexts(reply.value.result?.['receipts'] ?? [], 'receipts');
  const receipts = await provenReceipts(given.ok ? given.value : [], card, log);
  return forgetNode(name, by, { ended: [...ended.value, ...destroys], receipts }, parts);
}

interface Retired {
  readonly ended: readonly string[];
  readonly receipts: readonly string[];
}

/** The node obeys nobody any more: what this console kept of it goes. */
async function forgetNode(
  name: string,
  by: string,
  done: Retired,
  { nodes, inventory, leases, clusters, now, log }: Retiring,
): Promise<Result<Retired>> {
  const { receipts } = done;
  const node = nodes.get(name);
  if (!node.ok) return node;
  const { id } = node.value;
  const over = await leases.passOn(name, receipts, false);
  if (!over.ok) return over;
  const record = { ...inventory.of(name), retired: { at: now(), by, identity: id, receipts } };
  const kept = await inventory.retire(record, id);
  if (!kept.ok) return kept;
  const removed = await nodes.remove(name);
  // The others of its cluster take their new boundary now, or once they can be reached; the node itself is gone in any case.
  const left = await clusters.forget(name, by);
  if (!left.ok) log.warn('retired-still-in-cluster', { node: name, code: left.refusal.code });
  return removed.ok ? ok(done) : removed;
}

/** A lease that this console granted ends first and by itself, so that its customer's receipts are kept with it. */
async function endLease(node: string, leases: LeaseBook): Promise<Result<readonly string[]>> {
  const all = await leases.all();
  if (!all.ok) return all;
  const ended: string[] = [];
  for (const { value } of all.value) {
    if (value.node !== node || isOver(value)) continue;
    if (value.lease === undefined)
      return refuse('already-leased', `to ${value.customer}, and not granted yet`);
    const done = await leases.end(value.lease);
    if (!done.ok) return done;
    if (done.value.some((one) => !isOver(one.value)))
      return refuse('node-silent', 'it has not confirmed that its lease is over');
    ended.push(value.lease);
  }
  return ok(ended);
}

function leasesIn(levels: unknown): readonly string[] {
  if (!Array.isArray(levels)) return [];
  return levels.flatMap((level) => {
    const read = opaqueObject(level, 'levels');
    const lease = read.ok ? read.value['lease'] : undefined;
    return typeof lease === 'string' ? [lease] : [];
  });
}
