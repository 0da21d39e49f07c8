import type { CommandOf } from '../../protocol/commands.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Door, DoorOrder, EngineDoors } from '../ports/engines.js';
import type { Duplex } from './duplex.js';
import type { Level } from './state.js';

export type DoorCommand = CommandOf<'engine.exec'> | CommandOf<'engine.attach'> | CommandOf<'engine.forward'>;

function orderOf(command: DoorCommand): DoorOrder {
  switch (command.type) {
    case 'engine.exec': {
      const { command: words, env, terminal } = command;
      return {
        kind: 'exec',
        command: words,
        ...(env ? { env } : {}),
        ...(terminal ? { terminal } : {}),
      };
    }
    case 'engine.attach':
      return { kind: 'attach' };
    case 'engine.forward':
      return { kind: 'connect', port: command.port };
  }
}

/** Carries records between a console and what is behind a door of an engine, until either is gone. */
export async function throughDoor(
  doors: EngineDoors,
  { engines }: Level,
  command: DoorCommand,
  duplex: Duplex,
): Promise<Result<Readonly<Record<string, unknown>>>> {
  const engine = engines?.find((one) => one.described?.name === command.name);
  if (!engine) return refuse('engine-unknown', command.name);
  const opened = await doors.open(engine.id, orderOf(command));
  if (!opened.ok) return opened;
  const door = opened.value;
  // Whoever hangs up, or says that all was said, takes along what was begun: also while nothing moves either way.
  void duplex.closed.then(() => door.close());
  void inward(door, duplex);
  try {
    for await (const piece of door.output) {
      const written = await duplex.write(piece);
      if (!written.ok) return written;
    }
    return ok({});
  } catch (error) {
    return refuse('engine-failed', messageOf(error));
  } finally {
    door.close();
  }
}

async function inward(door: Door, duplex: Duplex): Promise<void> {
  for await (const piece of duplex.incoming()) if (!(await door.write(piece))) return;
  door.close();
}
