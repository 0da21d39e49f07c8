import type { NodeSession } from '../../console/nodes/session.js';
import type { Command } from '../../protocol/commands.js';
import type { Addressee } from '../../protocol/request.js';
import { newId } from '../../protocol/request.js';

export interface Given {
  readonly jti: string;
  readonly command: Command;
  /** What came back; absent for the last one, when the power was cut before. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Gives one command after the other, each made from the answer to the one before, until the node is gone. */
export async function changeUntilGone(
  session: NodeSession,
  to: Addressee,
  next: (before: Given | undefined) => Command,
  first?: Given,
): Promise<readonly Given[]> {
  const given: Given[] = [];
  let before = first;
  for (;;) {
    const asked = { jti: newId(), command: next(before) };
    const reply = await session.request({ ...asked, to });
    if (!reply.ok) {
      given.push(asked);
      return given;
    }
    if (reply.value.error !== undefined)
      throw new Error(`${JSON.stringify(asked.command)}: ${JSON.stringify(reply.value.error)}`);
    before = { ...asked, result: reply.value.result as Record<string, unknown> };
    given.push(before);
  }
}

/** What may stand after the power was cut: the last that was acknowledged, or the one that was under way. */
export function outcomes(given: readonly Given[], before: Given | undefined): readonly Given[] {
  return [...(before ? [before] : []), ...given].slice(-2);
}
