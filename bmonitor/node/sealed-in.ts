import { openSecret } from '../../protocol/engine-secrets.js';
import type { BootKey } from '../keys/boot.js';
import type { Given, Request } from './decision.js';
import type { NodeState } from './state.js';

/** Shares and secrets are sealed to this start of the node, and are taken out before anything is decided. */
export async function sealedIn(
  boot: BootKey,
  state: NodeState,
  { command, level, lease }: Request,
): Promise<Pick<Given, 'shares' | 'secret'>> {
  if (command.type === 'secret.set') {
    const { name, value } = command;
    const secret = await boot.openWith((pair) => openSecret(pair, value, { lease, name }));
    return secret ? { secret } : {};
  }
  const id = state.levels[level]?.symmetric;
  if ((command.type !== 'keys.share' && command.type !== 'keys.unlock') || id === undefined) return {};
  const share = command.share === undefined ? undefined : await boot.open(command.share, id);
  const before = command.type === 'keys.share' ? command.old : undefined;
  const old = before === undefined ? undefined : await boot.open(before, id);
  return { shares: { ...(share ? { share } : {}), ...(old ? { old } : {}) } };
}
