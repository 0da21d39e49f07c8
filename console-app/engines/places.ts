import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { list, opaqueObject, text, whole } from '../../protocol/parse.js';
import type { Refusal } from '../../protocol/result.js';
import { ask, engineOn, onEach } from './ask.js';
import type { Place } from './choose.js';

const megabytes = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const digest = text({ max: 100 });

/** What each of these nodes says of an engine, of its memory and of its images. One that does not say all of it says nothing. */
export async function placesOn(
  book: NodeBook,
  nodes: readonly string[],
  engine: string,
): Promise<readonly Place[]> {
  const asked = await onEach(nodes, async (node) => ({ ok: true, value: await placeOn(book, node, engine) }));
  return asked.flatMap(({ value }) => value ?? []);
}

async function placeOn(book: NodeBook, node: string, engine: string): Promise<Place> {
  const silent = (trouble: Refusal): Place => ({ node, trouble, images: new Set() });
  const there = await engineOn(book, node, engine);
  if (!there.ok) return silent(there.refusal);
  const engines = await ask(book, node, { type: 'engines.read' });
  if (!engines.ok) return silent(engines.refusal);
  const images = await ask(book, node, { type: 'images.read' });
  if (!images.ok) return silent(images.refusal);
  const stored = list(opaqueObject, { max: limits.images_per_lease_max })(images.value['images'], 'images');
  if (!stored.ok) return silent(stored.refusal);
  const digests = stored.value.flatMap((image) => {
    const read = digest(image['digest'], 'digest');
    return read.ok ? [read.value] : [];
  });
  const memory = opaqueObject(engines.value['memory'], 'memory');
  const left = memory.ok ? megabytes(memory.value['left_mb'], 'left_mb') : memory;
  return {
    node,
    images: new Set(digests),
    ...(there.value ? { there: there.value } : {}),
    ...(left.ok ? { left_mb: left.value } : {}),
  };
}
