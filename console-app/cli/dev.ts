import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { orExit, refusalText } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { consoleFiles } from '../../console/daemon/files.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { LocalNode } from '../dev/local-node.js';
import type { DevEvent } from '../dev/loop.js';

interface Flags {
  readonly node?: string;
  readonly local?: boolean;
  readonly debugPort?: number;
  readonly keep?: boolean;
  readonly json?: boolean;
}

const description_file = 'engine.json';

export function devCommand(program: Command, dirOf: () => string): void {
  program
    .command('dev')
    .argument('[folder]', `where ${description_file} and the code are, or the description itself`, '.')
    .option('--node <name>', 'the node on which it runs meanwhile')
    .option('--local', 'on a node of its own in a network namespace of this machine (needs root)')
    .option(
      '--debug-port <port>',
      'the port here that leads to its debugger; 0 lets the system choose; without it, the same as inside',
      number(0, 65_535),
    )
    .option('--keep', 'leave the engine on the node when this ends')
    .option('--json', 'print one JSON object a line')
    .description('build an engine, run it on a node, show what it writes; again whenever a file is saved')
    .addHelpText(
      'after',
      `
The image is built from a containerfile by buildah, podman or docker, or from packages and programs of this machine: see docs/development.md.
What does not build, or ends at once, is shown; what runs goes on until the next that does. It is ended by Ctrl-C, which takes the engine away.

Examples:
  dev --node node-1
  dev ./web --local --debug-port 0

Exit codes: 0 ended by the person, 1 refused.
`,
    )
    .action(async (folder: string, flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const file = orExit(descriptionIn(folder), flags.json);
      if ((flags.node === undefined) === (flags.local !== true))
        orExit(
          refuse('bad-input', 'name a node with --node, or take one of your own with --local'),
          flags.json,
        );
      const closed = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => closed.abort());
      const local =
        flags.local === true ? orExit(await takeLocal(client, dirOf(), flags.json), flags.json) : undefined;
      const { develop } = await import('../dev/loop.js');
      await develop({
        api: client,
        file,
        node: local?.name ?? flags.node ?? '',
        keep: flags.keep === true && local === undefined,
        closed: closed.signal,
        say: (event) => console.log(flags.json ? JSON.stringify(event) : eventText(event)),
        ...(flags.debugPort === undefined ? {} : { debugPort: flags.debugPort }),
      });
      if (local) {
        await local.remove();
        await client.call('DELETE', `/api/v1/nodes/${local.name}`);
      }
      process.exit(0);
    });
}

function descriptionIn(given: string): Result<string> {
  const path = resolve(given);
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, description_file) : path;
  return existsSync(file) ? ok(file) : refuse('not-found', `${file}; docs/development.md says what it holds`);
}

/** The local node is leased and taken like any other, by the same commands to the same daemon. */
async function takeLocal(api: ApiClient, dir: string, json = false): Promise<Result<LocalNode>> {
  if (!json) console.log('making a node of this machine');
  const { LocalNode } = await import('../dev/local-node.js');
  const made = await LocalNode.make(consoleFiles(dir).card);
  if (!made.ok) return made;
  const { node, handOver, pin } = made.value;
  const undo = async (refused: Result<never>): Promise<Result<never>> => {
    await node.remove();
    return refused;
  };
  const taken = await api.call('POST', '/api/v1/held-leases', { handOver, pins: { [node.name]: pin } });
  if (!taken.ok) return undo(taken);
  const [outcome] = taken.value['outcomes'] as readonly { taken: boolean; code?: string; detail?: string }[];
  if (!outcome?.taken)
    return undo(refuse('unknown-refusal', `${outcome?.code ?? ''} ${outcome?.detail ?? ''}`));
  const end = performance.now() + limits.dev_started_ms_max;
  while (performance.now() < end) {
    const seen = await api.call('GET', `/api/v1/nodes/${node.name}`);
    if (seen.ok && seen.value['state'] === 'good') {
      if (!json) console.log(`${node.name} is ready; its ports answer at ${node.address}`);
      return ok(node);
    }
    await new Promise((done) => setTimeout(done, limits.roll_look_ms));
  }
  return undo(refuse('node-silent', node.name));
}

function eventText(event: DevEvent): string {
  switch (event.event) {
    case 'changed':
      return `* changed: ${event.paths.join(', ')}`;
    case 'running':
      return `* ${event.engine} runs (revision ${event.revision}, ${(event.took_ms / 1000).toFixed(1)} s)`;
    case 'failed':
      return `* ${refusalText(event.refusal).replaceAll('\n', '\n* ')}`;
    case 'debugger':
      return `* a debugger reaches it at 127.0.0.1:${event.port} (port ${event.inside} inside)`;
    case 'log':
      return event.text;
  }
}
