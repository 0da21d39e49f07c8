import { wholeText, withoutLatch } from '../../ports/firewall-text.js';
import { ok, type Result } from '../../../protocol/result.js';
import type { LevelBoxes } from '../boxes.js';
import type { PeerRange } from '../model.js';
import { programOf } from './compile.js';
import { closedPlan } from './plan.js';

/** The text that `nft -f` takes, for a node with these addresses and no consoles. */
export function renderNft(
  levels: readonly LevelBoxes[],
  options: { readonly addresses: readonly PeerRange[] },
): Result<string> {
  return ok(wholeText(withoutLatch(programOf({ ...closedPlan, levels, addresses: options.addresses })), 1));
}
