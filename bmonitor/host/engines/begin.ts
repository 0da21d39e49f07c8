import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ok, type Result } from '../../../protocol/result.js';
import { runTool } from './tools.js';

/**
 * Lets what the runtime made begin. Its first process waits, in runc and in crun, for somebody to open a pipe for reading, and the pipe is gone when it began: that is all that
 * their own `start` does, but it takes a whole program, a fifth of an engine's start. Where there is no such pipe they are asked.
 */
export async function begin(runtime: string, root: string, instance: string): Promise<Result<unknown>> {
  const pipe = join(root, instance, 'exec.fifo');
  // Not waiting: who is to begin opens it for writing only once it is opened here, and what waits is not the node.
  const opened = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!opened) return runTool(runtime, ['--root', root, 'start', instance]);
  try {
    for (let tries = 0; tries < 2000; tries += 1) {
      const { bytesRead } = await opened.read(Buffer.alloc(1), 0, 1, null).catch(() => ({ bytesRead: 0 }));
      if (bytesRead > 0) {
        await unlink(pipe).catch(() => undefined);
        return ok(undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  } finally {
    await opened.close();
  }
  return runTool(runtime, ['--root', root, 'start', instance]);
}
