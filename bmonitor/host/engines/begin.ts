import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ok, type Result } from '../../../protocol/result.js';
import { runTool } from './tools.js';

/** How long what was made may take until it stands at its pipe: it is there already when the runtime answers. */
const looks = 200;

/**
 * Lets what the runtime made begin. In runc, its first process waits until somebody opens a pipe for reading, writes a byte into it, and goes on; the pipe then goes. That is all that
 * `runc start` does, but it takes a whole program, a good part of an engine's start. crun's pipe goes the other way and its program is a small one: it is asked, as is runc where there
 * is no such pipe.
 */
export async function begin(runtime: string, root: string, instance: string): Promise<Result<unknown>> {
  const begun = runtime.endsWith('/runc') && (await throughPipe(join(root, instance, 'exec.fifo')));
  return begun ? ok(undefined) : runTool(runtime, ['--root', root, 'start', instance]);
}

async function throughPipe(path: string): Promise<boolean> {
  const pipe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!pipe) return false;
  try {
    for (let look = 0; look < looks; look += 1) {
      // Nothing yet is the end of a file while nobody writes, and a refusal while somebody is about to.
      const { bytesRead } = await pipe.read(Buffer.alloc(1), 0, 1, null).catch(() => ({ bytesRead: 0 }));
      if (bytesRead > 0) {
        await unlink(path).catch(() => undefined);
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return false;
  } finally {
    await pipe.close();
  }
}
