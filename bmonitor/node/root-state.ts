import type { FilterBlock, FilterState } from './filter-state.js';
import type { Level, NodeState, PendingFilters } from './state.js';

/** The state as it stands in the root: with blocks of filters by name, since they are stored once, beside it. */
type NamedFilters = Omit<FilterState, 'blocks'> & { readonly blocks: readonly string[] };
type NamedLevel = Omit<Level, 'filters'> & { readonly filters: NamedFilters };
type NamedPending = Omit<PendingFilters, 'before'> & { readonly before: NamedFilters };
type NamedState = Omit<NodeState, 'levels' | 'pending'> & {
  readonly levels: readonly NamedLevel[];
  readonly pending?: NamedPending;
};

export function pickRootState(state: NodeState): NamedState {
  const { pending, levels, ...rest } = state;
  return {
    ...rest,
    levels: levels.map((level) => ({ ...level, filters: named(level.filters) })),
    ...(pending ? { pending: { ...pending, before: named(pending.before) } } : {}),
  };
}

function named(filters: FilterState): NamedFilters {
  return { ...filters, blocks: filters.blocks.map((block) => block.id) };
}

/** The root was sealed by this node, so its form is trusted; a block that is missing is not. */
export async function unpickRootState(
  root: unknown,
  read: (lease: string, block: string) => Promise<FilterBlock | undefined>,
): Promise<NodeState | undefined> {
  const { pending, levels, ...rest } = root as NamedState;
  const whole: Level[] = [];
  for (const level of levels) {
    const filters = await unnamed(level.filters, level.lease, read);
    if (!filters) return undefined;
    whole.push({ ...level, filters });
  }
  if (!pending) return { ...rest, levels: whole as unknown as NodeState['levels'] };
  const before = await unnamed(pending.before, pending.lease, read);
  if (!before) return undefined;
  return { ...rest, levels: whole as unknown as NodeState['levels'], pending: { ...pending, before } };
}

async function unnamed(
  filters: NamedFilters,
  lease: string,
  read: (lease: string, block: string) => Promise<FilterBlock | undefined>,
): Promise<FilterState | undefined> {
  const blocks: FilterBlock[] = [];
  for (const id of filters.blocks) {
    const block = await read(lease, id);
    if (!block) return undefined;
    blocks.push(block);
  }
  return { ...filters, blocks };
}
