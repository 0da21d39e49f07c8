import { chmod, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { idText } from '../../../protocol/fields.js';
import { isErrorCode } from '../../../protocol/errors/index.js';
import { parseJson } from '../../../protocol/json.js';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { object, text, type Parsed } from '../../../protocol/parse.js';
import { ok, refuse, type Refusal, type Result } from '../../../protocol/result.js';
import type { StoredImage } from '../../ports/engines.js';
import { imageSourceAt } from './images/source.js';
import type { FolderImages } from './images/store.js';

/**
 * Whoever is root on the machine can put an image there: the files of a lease can only be written while BMonitor has their directory open, so BMonitor does
 * it. An image that lies there does nothing until a command of the level names its digest.
 */
const asked = object({
  lease: idText,
  path: text({ max: limits.image_path_chars_max, pattern: /^\/[^\0]*$/, form: 'an absolute path' }),
});

function socketOf(folder: string): string {
  return join(folder, 'import.sock');
}

export async function serveLocalImport(
  folder: string,
  images: FolderImages,
): Promise<Result<() => Promise<void>>> {
  const path = socketOf(folder);
  await rm(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => void answer(socket, images));
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

async function answer(socket: Socket, images: FolderImages): Promise<void> {
  socket.on('error', () => socket.destroy());
  const said = await wholeText(socket);
  const json = said.ok ? parseJson(said.value) : said;
  const request = json.ok ? asked(json.value, '') : json;
  const stored = request.ok ? await take(request.value, images) : request;
  socket.end(`${JSON.stringify(stored.ok ? { stored: stored.value } : { error: stored.refusal })}\n`);
}

async function take(
  { lease, path }: Parsed<typeof asked>,
  images: FolderImages,
): Promise<Result<StoredImage>> {
  const source = await imageSourceAt(path);
  return source.ok ? images.take(lease, source.value) : source;
}

/** Asks the daemon of a folder. */
export async function askForImport(
  folder: string,
  request: Parsed<typeof asked>,
): Promise<Result<StoredImage>> {
  const socket = createConnection(socketOf(folder));
  socket.on('error', () => socket.destroy());
  socket.end(JSON.stringify(request));
  const said = await wholeText(socket);
  const json = said.ok && said.value !== '' ? parseJson(said.value) : refuse('not-running');
  if (!json.ok) return json;
  const { stored, error } = json.value as { readonly stored?: StoredImage; readonly error?: Refusal };
  if (stored) return ok(stored);
  return error && isErrorCode(error.code) ? { ok: false, refusal: error } : refuse('not-running');
}

function wholeText(socket: Socket): Promise<Result<string>> {
  return new Promise((resolve) => {
    let said = '';
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      said += piece;
      if (said.length > limits.local_answer_chars_max) socket.destroy();
    });
    socket.once('end', () => resolve(ok(said)));
    socket.once('close', () => resolve(refuse('not-running', 'it says nothing')));
  });
}
