import type { KeyRing } from '../keys/ring.js';
import type { Description, Engine } from './engine-state.js';
import { engineKey, homeOf } from './places.js';
import type { Level, NodeState } from './state.js';

/** The state, in which engines whose data key is open know what they are. */
export async function withDescriptions(
  state: NodeState,
  ring: KeyRing,
  read: (lease: string, key: string) => Promise<string | undefined>,
): Promise<NodeState> {
  const missing = ({ lease, engines }: Level): boolean =>
    ring.data.has(lease) && engines?.some((one) => !one.described) === true;
  if (!state.levels.some(missing)) return state;
  const levels: Level[] = [];
  for (const level of state.levels) {
    if (!level.engines || !missing(level)) {
      levels.push(level);
      continue;
    }
    const engines: Engine[] = [];
    for (const engine of level.engines) engines.push(await described(state, level, engine, read));
    levels.push({ ...level, engines });
  }
  return { ...state, levels: levels as unknown as NodeState['levels'] };
}

async function described(
  state: NodeState,
  { lease }: Level,
  engine: Engine,
  read: (lease: string, key: string) => Promise<string | undefined>,
): Promise<Engine> {
  if (engine.described) return engine;
  const text = await read(lease, engineKey(homeOf(state, lease), engine));
  return text === undefined ? engine : { ...engine, described: JSON.parse(text) as Description };
}
