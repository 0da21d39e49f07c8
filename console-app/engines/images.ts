import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { NodeBook } from '../../console/nodes/book.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { text } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

export type ImageForm = 'oci-archive' | 'plain-archive';

/** Brings an archive to a node, sealed on the way. Answers the digest under which it is stored there. */
export async function sendImage(
  book: NodeBook,
  node: string,
  path: string,
  form: ImageForm,
): Promise<Result<string>> {
  try {
    const { size } = await stat(path);
    if (size > limits.image_bytes_max) return refuse('too-large', `${path} has ${size} bytes`);
  } catch (error) {
    return refuse('not-found', messageOf(error));
  }
  return new Promise((resolve) => {
    const send = async (write: (bytes: Uint8Array) => Promise<boolean>): Promise<boolean> => {
      for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 }))
        if (!(await write(piece as Uint8Array))) return false;
      return true;
    };
    void book
      .request(
        node,
        { type: 'image.send', form },
        {
          onWriter: (writer) => {
            send(async (bytes) => writer.write(bytes)).then(
              (whole) => {
                if (whole) writer.end();
              },
              (error: unknown) => {
                writer.end();
                resolve(refuse('not-found', messageOf(error)));
              },
            );
          },
          onEnd: (end, said) => {
            if (!end.ok) return resolve(end);
            const digest = text({ max: 80 })(said?.['digest'], 'digest');
            resolve(digest.ok ? ok(digest.value) : digest);
          },
        },
      )
      .then((reply) => {
        if (!reply.ok) resolve(reply);
      });
  });
}
