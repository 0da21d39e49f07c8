import type { PublicKey } from '../../crypto/rsa.js';
import type { CommandType } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import type { Claims } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { KeyRing } from '../keys/ring.js';
import type { Nonces } from './nonces.js';
import { outOfScope, type Enrolled, type NodeState } from './state.js';

/** Everything about the node that decides whether a statement is meant for it, here and now. */
export interface Moment {
  readonly state: NodeState;
  readonly boot: string;
  readonly now_s: number;
  readonly nonces: Nonces;
  /** The fewest bits of the keys that the console would have to trust for this command. */
  keyBits(command: CommandType): number;
}

/** Which level a message is sealed to. */
export function levelOfKey(state: NodeState, kid: string): number | undefined {
  const at = state.levels.findIndex((level) => level.pair.id === kid || level.previous?.id === kid);
  return at === -1 ? undefined : at;
}

/** The enrolled console with this key, in whatever level. */
export function consoleOfKey(state: NodeState, id: string): Enrolled | undefined {
  for (const { roster } of state.levels) for (const entry of roster) if (entry.id === id) return entry;
  return undefined;
}

/**
 * A statement whose signature is good: is it meant for this level, lease and start of the node, and is it fresh? Answers whether it is
 * proven new by a nonce of the node, which makes it independent of clocks.
 */
export function judge(
  claims: Claims,
  sealedTo: number,
  moment: Moment,
): Result<{ readonly provenNew: boolean }> {
  const { state, boot, now_s } = moment;
  if (claims.level !== sealedTo)
    return refuse('wrong-level', `sealed to level ${sealedTo}, speaks for ${claims.level}`);
  const level = state.levels[claims.level];
  if (!level) return refuse('wrong-level');
  const present = stillEnrolled(claims, state);
  if (!present.ok) return present;
  if (claims.boot !== boot) return refuse('wrong-boot');
  const bits = claims.keyBits === undefined ? undefined : moment.keyBits(claims.command.type);
  if (bits !== undefined && claims.keyBits !== undefined && bits < claims.keyBits)
    return refuse('weak-key', `a key of the node has ${bits} bits, ${claims.keyBits} are asked for`);
  if (claims.exp - claims.iat > limits.request_life_s_max || claims.exp < claims.iat)
    return refuse('stale', `may hold for ${limits.request_life_s_max} seconds at most`);
  if (claims.nonce !== undefined)
    return moment.nonces.isFresh(claims.nonce) ? ok({ provenNew: true }) : refuse('nonce-stale');
  if (now_s > claims.exp) return refuse('stale', `${now_s - claims.exp} seconds too old`);
  if (claims.iat > now_s + limits.clock_ahead_s_max)
    return refuse('early', `${claims.iat - now_s} seconds ahead`);
  return ok({ provenNew: false });
}

/** Commands that give out a pair which was made ahead. */
const givesPair: ReadonlySet<CommandType> = new Set<CommandType>([
  'keys.rotate',
  'lease.grant',
  'lease.take',
  'node.transfer',
]);

/** Of the key that opened a message, of N, and of what was made ahead where the command gives that out. */
export function fewestBits(
  ring: KeyRing,
  used: readonly (PublicKey | undefined)[],
  command: CommandType,
): number {
  const ahead = givesPair.has(command) ? ring.pool.map((id) => ring.pairs.get(id)?.public) : [];
  return Math.min(...[...used, ...ahead].map((key) => key?.bits ?? 0));
}

/** Is the lease still the one that was meant, and the console still in its roster? */
export function stillEnrolled(
  claims: Pick<Claims, 'level' | 'lease' | 'iss'>,
  state: NodeState,
): Result<void> {
  const level = state.levels[claims.level];
  const enrolled = level?.roster.find((entry) => entry.id === claims.iss);
  if (!level || !enrolled) return refuse('unknown-console');
  const outOf = outOfScope(level, enrolled);
  if (outOf.length > 0) return refuse('out-of-scope', `the key is for nodes labelled ${outOf.join(', ')}`);
  return claims.lease === level.lease ? ok(undefined) : refuse('wrong-lease');
}

/** Did the commands of this console come in the order in which it gave them? */
export function judgeOrder(claims: Claims, state: NodeState): Result<void> {
  if (claims.after === undefined) return ok(undefined);
  const last = state.levels[claims.level]?.roster.find((entry) => entry.id === claims.iss)?.last;
  return last === claims.after
    ? ok(undefined)
    : refuse(
        'out-of-order',
        last === undefined ? 'nothing of this console acted yet' : `the last one was ${last}`,
      );
}

/** Only who may end every lease at once may say that more time has passed than the machine saw. */
export function tellsTime(claims: Claims, state: NodeState): boolean {
  return claims.level === 0 && consoleOfKey(state, claims.iss)?.role !== 'developer';
}
