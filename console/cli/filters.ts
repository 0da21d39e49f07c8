import type { Command } from 'commander';
import { limits } from '../../protocol/limits.js';
import { parseJson } from '../../protocol/json.js';
import { readFileLimited } from '../daemon/files.js';
import { clientFor } from './client.js';
import { actFilterCommands } from './filters-act.js';
import { manyFilterCommands } from './filters-many.js';
import { orExit } from './output.js';

interface ApplyFlags {
  readonly names?: string;
  readonly expect?: string;
  readonly confirmWithin?: string;
  readonly json?: boolean;
}

/** The filters of this console's level on its nodes. */
export function filterCommands(program: Command, dirOf: () => string): void {
  const filters = program
    .command('filters')
    .description('who may talk to a node, as far as this console’s level says');
  filters
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('the filters as they stand on the node, with their version')
    .action(async (node: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', pathOf(node)), flags.json);
      console.log(JSON.stringify(answer, null, flags.json ? 0 : 2));
    });
  filters
    .command('apply')
    .argument('<node>')
    .argument('<file>', 'a filter set')
    .option('--names <file>', 'what the names in it stand for')
    .option('--expect <version>', 'refuse if the filters changed since this version; without it, since now')
    .option(
      '--confirm-within <seconds>',
      `undo the change unless it is confirmed within so many seconds, ${limits.confirm_s_max} at most`,
    )
    .option('--json', 'print JSON')
    .description('replace the filters of the node whole')
    .addHelpText('after', '\nExample:\n  filters apply node-1 ./boundary.json --confirm-within 30')
    .action(apply);
  actFilterCommands(filters, dirOf);
  manyFilterCommands(filters, dirOf);
  filters
    .command('confirm')
    .argument('<node>')
    .argument('<version>')
    .option('--json', 'print JSON')
    .description('keep a change that would otherwise be undone')
    .action(async (node: string, version: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { version: Number(version) };
      const answer = orExit(await client.call('POST', `${pathOf(node)}/confirm`, body), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : `${node} keeps version ${version}`);
    });
  filters
    .command('undo')
    .argument('<node>')
    .argument('<version>')
    .option('--json', 'print JSON')
    .description('put back at once what stood before a change that waits')
    .action(async (node: string, version: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { version: Number(version) };
      const answer = orExit(await client.call('POST', `${pathOf(node)}/undo`, body), flags.json);
      console.log(
        flags.json ? JSON.stringify(answer) : `${node} is back, as version ${String(answer['version'])}`,
      );
    });

  async function apply(node: string, file: string, flags: ApplyFlags): Promise<void> {
    const { json } = flags;
    const set = orExit(parseJson(orExit(readFileLimited(file), json)), json);
    const names =
      flags.names === undefined
        ? undefined
        : orExit(parseJson(orExit(readFileLimited(flags.names), json)), json);
    const client = orExit(clientFor(dirOf()), json);
    const expect =
      flags.expect === undefined
        ? orExit(await client.call('GET', pathOf(node)), json)['version']
        : Number(flags.expect);
    const body = {
      set,
      expect,
      ...(names === undefined ? {} : { names }),
      ...(flags.confirmWithin === undefined ? {} : { confirmWithin: Number(flags.confirmWithin) }),
    };
    const answer = orExit(await client.call('PUT', pathOf(node), body), json);
    if (json) console.log(JSON.stringify(answer));
    else {
      console.log(
        `${node} enforces version ${String(answer['version'])}: ${String(answer['filters'])} filters`,
      );
      if (answer['undoAt'] !== undefined)
        console.log(`it is undone unless you say: filters confirm ${node} ${String(answer['version'])}`);
    }
  }
}

function pathOf(node: string): string {
  return `/api/v1/nodes/${encodeURIComponent(node)}/filters`;
}
