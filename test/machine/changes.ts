import { setTimeout as pause } from 'node:timers/promises';
import type { NodeSession } from '../../console/nodes/session.js';
import type { Command } from '../../protocol/commands.js';
import type { Addressee } from '../../protocol/request.js';

export interface Given {
  readonly command: Command;
  /** What came back; absent for the last one, when the power was cut before. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Gives one command after the other, each made from the answer to the one before, until the node is gone. */
export async function changeUntilGone(
  session: NodeSession,
  to: Addressee,
  next: (before: Given | undefined) => Command,
): Promise<readonly Given[]> {
  const given: Given[] = [];
  for (;;) {
    const command = next(given.at(-1));
    const reply = await session.request({ command, to });
    if (!reply.ok) {
      // Pairs are made ahead, and under emulation slowly: it did nothing, and is given again.
      if (reply.refusal.code === 'no-spare-pair') await pause(100);
      else return [...given, { command }];
    } else if (reply.value.error !== undefined)
      throw new Error(`${JSON.stringify(command)}: ${JSON.stringify(reply.value.error)}`);
    else given.push({ command, result: reply.value.result as Record<string, unknown> });
  }
}
