import type { Command } from 'commander';
import { digestOf } from '../../crypto/bytes.js';
import { historyIn } from '../../protocol/history.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { historyHead, type HistoryHead } from '../../protocol/request.js';
import { refuse, type Result } from '../../protocol/result.js';
import { readFileLimited } from '../daemon/files.js';
import { clientFor } from './client.js';
import { orExit } from './output.js';

/** The last entry of an exported history: only what stands in a file is forgotten by the node. */
function lastEntry(path: string): Result<HistoryHead> {
  const content = readFileLimited(path, limits.history_file_bytes_max);
  if (!content.ok) return content;
  const history = historyIn(content.value.toString('utf8'));
  if (!history.ok) return history;
  const line = history.value.lines.at(-1);
  if (line === undefined) return refuse('history-incomplete', `${path} has no entry`);
  const json = parseJson(line);
  if (!json.ok) return refuse('history-broken', json.refusal.detail);
  const { seq } = Object(json.value) as { seq?: unknown };
  return historyHead({ seq, digest: digestOf(line) }, path);
}

export function trimCommand(nodes: Command, dirOf: () => string): void {
  nodes
    .command('trim-history')
    .argument('<name>')
    .argument('<file>', 'what `nodes history` exported: the node forgets what stands in it')
    .option('--json', 'print JSON')
    .description('have a node forget the part of this level’s history that was exported')
    .addHelpText(
      'after',
      `
Examples:
  nodes history node-1 --out node-1.history
  bmonitor history verify node-1.history --node node-1.card.json
  nodes trim-history node-1 node-1.history

The signed command stays in the history and names the last entry that went, so that what follows can still be verified.
The node refuses it when that entry is not its own (history-fork). Exit codes: 0 done, 1 refused, 2 bad input.`,
    )
    .action(async (name: string, file: string, flags: { json?: boolean }) => {
      const { seq, digest } = orExit(lastEntry(file), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/nodes/${encodeURIComponent(name)}/history/trim`;
      const answer = orExit(await client.call('POST', path, { before: seq + 1, head: digest }), flags.json);
      console.log(
        flags.json
          ? JSON.stringify(answer)
          : `${name} keeps its history from entry ${String(answer['first'])} on`,
      );
    });
}
