import { createReadStream } from 'node:fs';
import { parseAddress } from '../../bmonitor/filters/address.js';
import { compileSet } from '../../bmonitor/filters/compile.js';
import type { Outcome } from '../../bmonitor/filters/explain/index.js';
import { normaliseSet } from '../../bmonitor/filters/normalise.js';
import { parseFilterSet, parseNames } from '../../bmonitor/filters/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ApiClient } from './client.js';

interface Tried {
  readonly node: string;
  /** The set with its names, as it was read from files. */
  readonly asked: object;
  readonly capture: string;
}

/** What would become of each packet of a capture, with this set under the levels above. The capture stays on this machine. */
export async function tryOn(
  client: ApiClient,
  { node, asked, capture }: Tried,
  each: (number: number, outcome: Outcome) => void,
): Promise<Result<unknown>> {
  const above = await client.call('GET', `/api/v1/nodes/${encodeURIComponent(node)}/filters/above`);
  if (!above.ok) return above;
  // The daemon knows what stands behind the names of its nodes.
  const checked = await client.call('POST', '/api/v1/filters/check', { ...asked, targets: [node] });
  if (!checked.ok) return checked;
  const names = parseNames(checked.value['names'], 'names');
  if (!names.ok) return names;
  const levels = [];
  for (const one of [above.value['set'], (asked as { readonly set?: unknown }).set]) {
    if (one === null) continue;
    const set = parseFilterSet(one, 'set');
    const normal = set.ok ? normaliseSet(set.value, names.value) : set;
    const boxes = normal.ok ? compileSet(normal.value) : normal;
    if (!boxes.ok) return boxes;
    levels.push(boxes.value);
  }
  const addresses = (above.value['addresses'] as readonly string[]).flatMap((text) => {
    const read = parseAddress(text);
    return read ? [{ family: read.family, lo: read.value, hi: read.value }] : [];
  });
  if (addresses.length === 0)
    return refuse('not-enforced', `${node} does not say which addresses are its own`);
  const { explainCapture } = await import('../../bmonitor/filters/explain/index.js');
  const done = await explainCapture(createReadStream(capture), { levels, addresses }, each);
  return done.ok ? ok(done.value) : done;
}
