import { list, name, object, opaque, optional, text } from '../../console/api/shape.js';
import { limits } from '../../protocol/limits.js';
import { ok, type Refusal, type Result } from '../../protocol/result.js';
import type { Groups } from '../../console/filters/groups.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { onEach, type OnNode } from './ask.js';

/** What routes that act on several nodes take and answer. */
export const targets = list(text({ max: 80 }), { min: 1, max: limits.group_nodes_max });
export const targetsText = text({ max: 20_000, about: 'nodes or group:NAME, with commas between' });
export const trouble = object({ code: text({ max: 64 }), detail: optional(text({ min: 0, max: 4000 })) });
const onNode = object({ node: name, value: optional(opaque('what came of it')), trouble: optional(trouble) });
export const outcomes = object({ nodes: list(onNode, { max: limits.group_nodes_max }) });

export const plain = (value: unknown): Record<string, unknown> => ({ ...(value as Record<string, unknown>) });

interface Shown {
  readonly node: string;
  readonly value?: Record<string, unknown>;
  readonly trouble?: { readonly code: string; readonly detail?: string };
}

export function troubleOf({ code, detail }: Refusal): { code: string; detail?: string } {
  return { code, ...(detail === undefined ? {} : { detail: detail.slice(0, 4000) }) };
}

function outcomesOf<T>(
  all: readonly OnNode<T>[],
  view: (value: T) => Record<string, unknown>,
): Result<{ nodes: Shown[] }> {
  return ok({
    nodes: all.map(({ node, value, trouble: said }) => ({
      node,
      ...(value === undefined ? {} : { value: view(value) }),
      ...(said ? { trouble: troubleOf(said) } : {}),
    })),
  });
}

/** What most routes do: the same on each of these nodes. */
export async function onTargets<T>(
  groups: Groups,
  all: readonly string[],
  act: (node: string) => Promise<Result<T>>,
  view: (value: T) => Record<string, unknown> = plain,
): Promise<Result<{ nodes: Shown[] }>> {
  const nodes = await groups.expand(all);
  return nodes.ok ? outcomesOf(await onEach(nodes.value, act), view) : nodes;
}

/** As it stands in an address. Absent: every node that the console knows. */
export function targetsIn(
  query: { readonly targets?: string | undefined },
  book: NodeBook,
): readonly string[] {
  return (
    query.targets?.split(',') ??
    book
      .list()
      .map(({ card }) => card.name)
      .toSorted()
  );
}
