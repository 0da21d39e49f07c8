import { StringDecoder } from 'node:string_decoder';
import type { NodeBook } from '../../console/nodes/book.js';
import type { Refusal } from '../../protocol/result.js';

export interface LogsAsked {
  readonly engine: string;
  readonly follow: boolean;
  readonly since_ms: number | undefined;
  readonly closed: AbortSignal;
  line(node: string, text: string): void;
  trouble(node: string, refusal: Refusal): void;
}

/** What an engine wrote on several nodes, whole lines as they come. Resolves when all of them have ended. */
export async function followLogs(book: NodeBook, nodes: readonly string[], asked: LogsAsked): Promise<void> {
  await Promise.all(nodes.map(async (node) => followOne(book, node, asked)));
}

async function followOne(book: NodeBook, node: string, asked: LogsAsked): Promise<void> {
  const { engine: name, follow, since_ms, closed } = asked;
  const decoder = new StringDecoder('utf8');
  let rest = '';
  await new Promise<void>((resolve) => {
    const over = (refusal?: Refusal): void => {
      if (rest !== '') asked.line(node, rest);
      rest = '';
      if (refusal && !closed.aborted) asked.trouble(node, refusal);
      resolve();
    };
    void book
      .request(
        node,
        { type: 'engine.logs', name, follow, ...(since_ms === undefined ? {} : { since_ms }) },
        {
          onWriter: (writer) => closed.addEventListener('abort', () => writer.end(), { once: true }),
          onFrame: (bytes) => {
            const lines = (rest + decoder.write(Buffer.from(bytes))).split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) asked.line(node, line);
          },
          onEnd: (end) => over(end.ok ? undefined : end.refusal),
        },
      )
      .then((reply) => {
        if (!reply.ok) over(reply.refusal);
      });
  });
}
