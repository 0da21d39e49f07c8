import { Secret } from '../../../crypto/secret.js';
import type { Command } from '../../../protocol/commands.js';
import { sealShare, verifyBoot } from '../../../protocol/unlock.js';
import type { Running } from '../../fakes/machine/machine.js';
import { member } from '../../fakes/machine/principals.js';
import { consoleId } from '../../fakes/machine/world.js';
import { value } from '../../fakes/results.js';
import { levelOf, type Attempt, type Party } from './parties.js';

/** What a party may try with keys, and with the node as a whole. */
export const keyAttempts: readonly Attempt[] = [
  () => ({ type: 'keys.make' }),
  (running, _, party) => rotate(running, party, { key: true, data: 'keep' }),
  (running, _, party) => rotate(running, party, { key: false, data: 'keep' }),
  (running, _, party) => rotate(running, party, { key: true, data: 'reencrypt' }),
  (running, _, party) => rotate(running, party, { key: true, data: 'destroy' }),
  (running, _, party) => rotate(running, party, { key: false, data: 'destroy' }),
  (running, _, party) => rotate(running, party, { key: true, data: 'destroy', below: 1 }),
  (running, _, party) => rotate(running, party, { key: true, data: 'keep', below: 1 }),
  // A plain yes, which names nothing.
  (running, _, party) => ({ ...rotate(running, party, { key: true, data: 'destroy' }), destroys: [] }),
  ({ core }) => ({ type: 'keys.consent', to: core.state.levels[0].lease, act: 'rotate' }),
  ({ core }) => ({
    type: 'keys.consent',
    to: core.state.levels[0].lease,
    act: 'transfer',
    holder: consoleId('guest.administrator'),
  }),
  async (running, _, party) => ({ type: 'keys.share', share: await sealed(running, party, 7) }),
  async (running, _, party) => ({
    type: 'keys.share',
    share: await sealed(running, party, 8),
    old: await sealed(running, party, 7),
  }),
  async (running, _, party) => ({ type: 'keys.share', old: await sealed(running, party, 7) }),
  async (running, _, party) => ({ type: 'keys.unlock', share: await sealed(running, party, 7) }),
  async (running, _, party) => ({ type: 'keys.unlock', share: await sealed(running, party, 8) }),
  ({ core }) => transfer(core.state.levels.map(({ lease }) => lease).slice(0, 1), 'keep'),
  ({ core }) =>
    transfer(
      core.state.levels.map(({ lease }) => lease),
      'end',
    ),
];

interface Rotation {
  readonly key: boolean;
  readonly data: 'destroy' | 'keep' | 'reencrypt';
  /** How far below the own level. */
  readonly below?: number;
}

/** Names rightly what it destroys: what is refused then is refused for another reason. */
function rotate({ core }: Running, party: Party, { key, data, below = 0 }: Rotation): Command {
  const { levels } = core.state;
  const own = levels.findIndex((level) => level === levelOf(core, party));
  const level = Math.max(own, 0) + below;
  const reached = below === 0 && !key ? levels.slice(level, level + 1) : levels.slice(level);
  const destroys = data === 'destroy' ? { destroys: reached.map(({ lease }) => lease) } : {};
  return { type: 'keys.rotate', level, key, data, ...destroys };
}

/** The node is sold to the guest. */
function transfer(destroys: readonly string[], below: 'keep' | 'end'): Command {
  return { type: 'node.transfer', to: [member('guest', 'administrator')], below, destroys: [...destroys] };
}

/** A share of the party, sealed to this start of the node as its console would. */
async function sealed({ core }: Running, party: Party, share: number): Promise<string> {
  const statement = await core.boot.statement(core.identity);
  const to = value(await verifyBoot(statement, core.identity.public, core.boot.boot));
  const key = levelOf(core, party)?.symmetric ?? 'A'.repeat(22);
  return sealShare(to, key, Secret.take(Buffer.alloc(32, share)));
}
