import { randomBytes } from 'node:crypto';
import { digestOf } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { NodeBook } from '../nodes/book.js';
import type { Asked, StreamWriter } from '../nodes/session.js';
import { keep, versionForm, type Wanted } from './push.js';

/** New filters that a node holds on trial, and undoes by itself unless they are kept. */
export interface Trial {
  readonly version: number;
  keep(): Promise<Result<true>>;
}

/**
 * Gives one node its filters on trial. The signed command carries the digest of a secret, and showing that secret on the command's own stream keeps them:
 * with a thousand nodes, a second signature for each would take longer than everything else.
 */
export async function giveOnTrial(
  nodes: NodeBook,
  node: string,
  wanted: Wanted,
  options: { readonly expect: number; readonly within_s: number },
): Promise<Result<Trial>> {
  const secret = Secret.take(randomBytes(limits.keep_secret_bytes));
  const stream = new KeepingStream();
  const reply = await nodes.request(
    node,
    {
      type: 'filters.replace',
      expect: options.expect,
      set: wanted.set as unknown as Record<string, unknown>,
      names: wanted.names,
      confirmWithin: options.within_s,
      keep: secret.use((bytes) => digestOf(bytes)),
    },
    stream.asked,
  );
  if (!reply.ok) return reply;
  const version = versionForm(reply.value.result?.['version'], 'version');
  if (!version.ok) return refuse('bad-input', 'the node names no version');
  return ok({
    version: version.value,
    async keep() {
      const shown = await stream.show(secret);
      secret.wipe();
      if (shown === undefined) return keep(nodes, node, version.value);
      if (!shown.ok) return shown;
      const kept = versionForm(shown.value['version'], 'version');
      return kept.ok && kept.value === version.value
        ? ok(true)
        : refuse('bad-input', 'the node kept another version');
    },
  });
}

/** The stream that follows a change on trial, from the console's side. */
class KeepingStream {
  #writer: StreamWriter | undefined;
  #ended: ((end: Result<Readonly<Record<string, unknown>>>) => void) | undefined;
  #end: Result<Readonly<Record<string, unknown>>> | undefined;

  readonly asked: Pick<Asked, 'onWriter' | 'onEnd'> = {
    onWriter: (writer) => (this.#writer = writer),
    onEnd: (end, said) => {
      this.#end = end.ok ? ok(said ?? {}) : end;
      this.#ended?.(this.#end);
    },
  };

  /** What the node said at the end. Undefined: it gave no stream, or the stream is over. */
  async show(secret: Secret): Promise<Result<Readonly<Record<string, unknown>>> | undefined> {
    const writer = this.#writer;
    if (!writer || this.#end) return undefined;
    const ended = new Promise<Result<Readonly<Record<string, unknown>>>>((resolve) => {
      this.#ended = resolve;
    });
    const silent = (): void => this.#ended?.(refuse('node-silent', 'it does not say that it keeps them'));
    const timer = setTimeout(silent, limits.reply_ms_max);
    if (await writer.write(secret.use((bytes) => Uint8Array.from(bytes)))) writer.end();
    const said = await ended;
    clearTimeout(timer);
    return said;
  }
}
