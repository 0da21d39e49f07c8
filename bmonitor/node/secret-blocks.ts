import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { KeyRing } from '../keys/ring.js';
import { homeOf, secretKey } from './places.js';
import type { KeptSecret } from './secret-state.js';
import type { Level, NodeState } from './state.js';

type Read = (lease: string, key: string) => Promise<string | undefined>;

/** How a secret rests, before it is sealed. */
export function secretText({ described }: KeptSecret, value: Secret): string {
  return value.use((bytes) => JSON.stringify({ ...described, value: toB64u(bytes) }));
}

/** The state, in which secrets whose data key is open are known by name. */
export async function withSecretNames(state: NodeState, ring: KeyRing, read: Read): Promise<NodeState> {
  const missing = ({ lease, secrets }: Level): boolean =>
    ring.data.has(lease) && secrets?.some((one) => !one.described) === true;
  if (!state.levels.some(missing)) return state;
  const levels: Level[] = [];
  for (const level of state.levels)
    levels.push(missing(level) ? { ...level, secrets: await named(state, level, read) } : level);
  return { ...state, levels: levels as unknown as NodeState['levels'] };
}

async function named(state: NodeState, { lease, secrets = [] }: Level, read: Read): Promise<KeptSecret[]> {
  const all: KeptSecret[] = [];
  for (const one of secrets) {
    const text = one.described ? undefined : await read(lease, secretKey(homeOf(state, lease), one));
    if (text === undefined) {
      all.push(one);
      continue;
    }
    const { value: _notHere, ...described } = JSON.parse(text) as NonNullable<KeptSecret['described']> & {
      readonly value: string;
    };
    all.push({ ...one, described });
  }
  return all;
}

/** Undefined: there is none of this name, or its key is locked. */
export async function secretIn(
  state: NodeState,
  { lease, name }: { readonly lease: string; readonly name: string },
  read: Read,
): Promise<Secret | undefined> {
  const level = state.levels.find((one) => one.lease === lease);
  const kept = level?.secrets?.find((one) => one.described?.name === name);
  const text = kept && (await read(lease, secretKey(homeOf(state, lease), kept)));
  if (text === undefined) return undefined;
  const bytes = fromB64u((JSON.parse(text) as { readonly value: string }).value);
  return bytes && Secret.take(bytes);
}

/** Names, never what they stand for. */
export function secretsShown(
  { lease, secrets = [], engines = [] }: Level,
  ring: KeyRing,
): Result<Readonly<Record<string, unknown>>> {
  if (!ring.data.has(lease)) return refuse('shares-outstanding');
  const usedBy = (name: string): readonly string[] =>
    engines.flatMap(({ described }) =>
      described?.settings.secrets?.includes(name) === true ? [described.name] : [],
    );
  return ok({
    secrets: secrets.flatMap(({ revision, described }) =>
      described ? [{ ...described, revision, engines: usedBy(described.name) }] : [],
    ),
  });
}
