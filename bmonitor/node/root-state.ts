import { undescribed } from './engine-state.js';
import { undescribedSecret } from './secret-state.js';
import type { FilterBlock, FilterState } from './filter-state.js';
import type { Level, NodeState, WaitingFilters } from './state.js';

/** The state as it stands in the root: with blocks of filters by name, since they are stored once, beside it. */
type NamedFilters = Omit<FilterState, 'blocks'> & { readonly blocks: readonly string[] };
type NamedLevel = Omit<Level, 'filters' | 'waiting'> & {
  readonly filters: NamedFilters;
  readonly waiting?: Omit<WaitingFilters, 'before'> & { readonly before: NamedFilters };
};
type NamedState = Omit<NodeState, 'levels'> & { readonly levels: readonly NamedLevel[] };

export function pickRootState(state: NodeState): NamedState {
  return {
    ...state,
    levels: state.levels.map(({ waiting, ...level }) => ({
      ...level,
      ...(level.engines ? { engines: level.engines.map(undescribed) } : {}),
      ...(level.secrets ? { secrets: level.secrets.map(undescribedSecret) } : {}),
      filters: named(level.filters),
      ...(waiting ? { waiting: { ...waiting, before: named(waiting.before) } } : {}),
    })),
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
  const { levels, ...rest } = root as NamedState;
  const whole: Level[] = [];
  for (const { waiting, ...level } of levels) {
    const filters = await unnamed(level.filters, level.lease, read);
    const before = waiting && (await unnamed(waiting.before, level.lease, read));
    if (!filters || (waiting && !before)) return undefined;
    whole.push({ ...level, filters, ...(waiting && before ? { waiting: { ...waiting, before } } : {}) });
  }
  return { ...rest, levels: whole as unknown as NodeState['levels'] };
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
