import type { NodeBook } from '../../console/nodes/book.js';
import { provenReceipts, receiptTexts } from '../../console/nodes/receipts.js';
import { makePair, rsaBits } from '../../crypto/rsa.js';
import type { Log } from '../../protocol/log.js';
import { opaqueObject } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { isOver, type LeaseBook } from '../../console/granting/book.js';
import type { ClusterBook } from '../clusters/book.js';
import type { Inventory } from './inventory.js';

export interface Retiring {
  readonly nodes: NodeBook;
  readonly inventory: Inventory;
  readonly leases: LeaseBook;
  readonly clusters: ClusterBook;
  readonly now: () => number;
  readonly log: Log;
}

/**
 * A node forgets its landlord: level 0 is transferred to a key whose private half is thrown away here, so that every lease ends, every key is
 * destroyed with a receipt, its filters close, and nobody can ever command it. At the machine, `bmonitor pair --anew` makes another node of it.
 */
export async function retireNode(
  name: string,
  by: string,
  { nodes, inventory, leases, clusters, now, log }: Retiring,
): Promise<Result<{ readonly ended: readonly string[]; readonly receipts: readonly string[] }>> {
  const node = nodes.get(name);
  if (!node.ok) return node;
  const { card, id } = node.value;
  if (card.level !== 0) return refuse('not-permitted', 'only the landlord of a node retires it');
  const ended = await endLease(name, leases);
  if (!ended.ok) return ended;
  const levels = await nodes.request(name, { type: 'levels.read' });
  if (!levels.ok) return levels;
  const destroys = leasesIn(levels.value.result?.['levels']);
  const nobody = await makePair(rsaBits.normal);
  const reply = await nodes.request(name, {
    type: 'node.transfer',
    to: [{ key: nobody.public.jwk, name: 'retired', role: 'administrator' }],
    below: 'end',
    destroys,
  });
  if (!reply.ok) return reply;
  const given = receiptTexts(reply.value.result?.['receipts'] ?? [], 'receipts');
  const receipts = await provenReceipts(given.ok ? given.value : [], card, log);
  const record = { ...inventory.of(name), retired: { at: now(), by, identity: id, receipts } };
  const kept = await inventory.retire(record, id);
  if (!kept.ok) return kept;
  const removed = await nodes.remove(name);
  // The others of its cluster take their new boundary now, or once they can be reached; the node itself is gone in any case.
  const left = await clusters.forget(name, by);
  if (!left.ok) log.warn('retired-still-in-cluster', { node: name, code: left.refusal.code });
  return removed.ok ? ok({ ended: [...ended.value, ...destroys], receipts }) : removed;
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
