import { chmod, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '../../protocol/log.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

export function statusSocketOf(folder: string): string {
  return join(folder, 'status.sock');
}

/**
 * A socket in the node's folder, for whoever may read that folder. It says one line of JSON to each who connects and reads nothing, so that
 * there is nothing to command through it.
 */
export async function serveLocalStatus(
  path: string,
  facts: () => Readonly<Record<string, unknown>>,
): Promise<Result<() => Promise<void>>> {
  // What a killed daemon left; the store's lock has shown by now that no other one runs.
  await rm(path, { force: true });
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.end(`${JSON.stringify(facts())}\n`);
  });
  server.maxConnections = limits.local_connections_max;
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    await chmod(path, 0o600);
  } catch (error) {
    return refuse('cannot-listen', `${path}: ${messageOf(error)}`);
  } finally {
    process.umask(before);
  }
  return ok(async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(path, { force: true });
  });
}

/** Asks the daemon of a folder. */
export function readLocalStatus(path: string): Promise<Result<string>> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    let said = '';
    const fail = (detail: string): void => {
      socket.destroy();
      resolve(refuse('not-running', detail));
    };
    socket.setTimeout(limits.local_answer_ms_max, () => fail('it does not answer'));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      said += text;
      if (said.length > limits.local_answer_chars_max) fail('it says too much');
    });
    socket.once('error', (error) => fail(messageOf(error)));
    socket.once('end', () => resolve(said === '' ? refuse('not-running', 'it says nothing') : ok(said)));
  });
}
