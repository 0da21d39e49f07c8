import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { readFileLimited } from '../../console/daemon/files.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { listOf, nodesIn, printOutcomes, troubleText, type Json } from './outcomes.js';

interface Kept {
  readonly name: string;
  readonly bytes: number;
  readonly set_s: number;
  readonly revision: number;
  readonly engines: readonly string[];
}

/** What engines may know and nobody else: set, named, removed; never shown. */
export function secretCommands(engines: Command, dirOf: () => string): void {
  const secrets = engines
    .command('secrets')
    .description('secrets of engines: keys and passwords that some engines may know, and nobody reads back');
  const client = (flags: Json): ApiClient => orExit(clientFor(dirOf()), flags.json);

  secrets
    .command('list')
    .argument('[targets...]', 'nodes, or group:NAME; absent, all')
    .option('--json', 'print JSON')
    .description('their names, since when they are what they are, and which engines may know them')
    .action(async (targets: readonly string[], flags: Json) => {
      const query = targets.length === 0 ? '' : `?targets=${listOf(targets)}`;
      const answer = orExit(await client(flags).call('GET', `/api/v1/engine-secrets${query}`), flags.json);
      const nodes = nodesIn(answer);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = nodes.flatMap(({ node, value, trouble }) =>
        trouble
          ? [[node, 'unknown', '', '', '', troubleText(trouble)]]
          : ((value?.['secrets'] ?? []) as readonly Kept[]).map((one) => [
              node,
              one.name,
              String(one.bytes),
              new Date(one.set_s * 1000).toISOString(),
              String(one.revision),
              one.engines.join(' '),
            ]),
      );
      console.log(
        rows.length === 0
          ? 'no secrets'
          : table(['NODE', 'SECRET', 'BYTES', 'SET', 'REVISION', 'ENGINES'], rows),
      );
    });
  secrets
    .command('set')
    .argument('<name>', 'the name of the secret, which is that of the file in the engine')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option('--file <file>', 'where it stands; absent, it is read from the standard input, to its end')
    .option('--json', 'print JSON')
    .description('set it, or replace it: engines that have it are given the new one')
    .addHelpText(
      'after',
      `
Examples:
  engines secrets set db-password node-1 node-2 --file password.txt
  pass show web/tls | engines secrets set tls-key group:web

It is taken as it is, byte by byte: also an end of line, where there is one. Exit codes: 0 set everywhere, 1 not on every node.
`,
    )
    .action(async (name: string, targets: readonly string[], flags: Json & { file?: string }) => {
      const value = orExit(given(flags.file), flags.json);
      const body = { targets, value: value.toString('base64url') };
      value.fill(0);
      const path = `/api/v1/engine-secrets/${encodeURIComponent(name)}`;
      printOutcomes(orExit(await client(flags).call('PUT', path, body), flags.json), flags, 'set');
    });
  secrets
    .command('remove')
    .argument('<name>')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option('--confirm <name>', 'its name once more: it is destroyed')
    .option('--json', 'print JSON')
    .description('destroy it: engines that run have it no more, and those that name it are not started')
    .action(async (name: string, targets: readonly string[], flags: Json & { confirm?: string }) => {
      if (flags.confirm !== name)
        orExit(
          refuse('confirm-by-name', `this destroys ${name} on ${targets.join(' ')}: --confirm ${name}`),
          flags.json,
        );
      const path = `/api/v1/engine-secrets/${encodeURIComponent(name)}?targets=${listOf(targets)}`;
      printOutcomes(orExit(await client(flags).call('DELETE', path), flags.json), flags, 'removed');
    });
}

/** Never from the command line: that everybody on the machine can read. */
function given(file: string | undefined): Result<Buffer> {
  const most = limits.engine_secret_bytes_max;
  if (file !== undefined) return readFileLimited(file, most);
  if (process.stdin.isTTY)
    return refuse('bad-input', 'give it on the standard input, or name a file', { where: '--file' });
  const content = readFileSync(0);
  return content.length <= most ? ok(content) : refuse('too-large', `at most ${most} bytes`);
}
