import type { Command } from '../../protocol/commands.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { NodeBook } from './book.js';
import type { StreamWriter } from './session.js';

export interface OpenDoor {
  /** Resolves when there is room for more; false: it is closed. */
  write(bytes: Uint8Array): Promise<boolean>;
  hangUp(): void;
}

/**
 * A stream of records to an engine, on a connection of its own: whoever reads slowly holds up nobody else, and hanging up is closing it.
 */
export async function openDoor(
  book: NodeBook,
  { node, command }: { readonly node: string; readonly command: Command },
  hears: {
    readonly bytes: (bytes: Uint8Array) => void | Promise<void>;
    readonly ended: (why: Refusal | undefined) => void;
  },
): Promise<Result<OpenDoor>> {
  const own = await book.ownSession(node);
  if (!own.ok) return own;
  const { session, to } = own.value;
  let writer: StreamWriter | undefined;
  const reply = await session.request({
    command,
    to,
    onWriter: (made) => (writer = made),
    onFrame: hears.bytes,
    onEnd: (end) => {
      session.close('it has ended');
      hears.ended(end.ok ? undefined : end.refusal);
    },
  });
  if (!reply.ok) {
    session.close('refused');
    return reply;
  }
  const made: StreamWriter | undefined = writer;
  if (!made) {
    session.close('no stream');
    return refuse('replayed');
  }
  return ok({ write: (bytes) => made.write(bytes), hangUp: () => session.close('hung up') });
}
