import type { Command } from 'commander';
import type { Refusal, Result } from '../../protocol/result.js';
import { clientFor, type ApiClient } from './client.js';
import { orExit, table } from './output.js';

interface Flags {
  readonly status?: boolean;
  readonly cancel?: boolean;
  readonly leave?: string;
  readonly json?: boolean;
}

interface Standing {
  readonly stage: 'none' | 'enrolling' | 'removing';
  readonly key: string;
  readonly next?: string;
  readonly old?: string;
  readonly card?: string;
  readonly nodes: readonly { name: string; state: string; trouble?: Refusal }[];
  /** Commands whose answer is missing. */
  readonly waitsFor: readonly string[];
}

const path = '/api/v1/key/rotation';

/** The key of this console is replaced by the running daemon, which speaks to every node. */
export function rotateCommand(key: Command, dirOf: () => string): void {
  key
    .command('rotate')
    .option('--status', 'only show how far it is')
    .option('--cancel', 'call it off, as long as the next key has not taken the place of the present one')
    .option(
      '--leave <node>',
      'give up a node that cannot be reached: this console does not speak there any more',
    )
    .option('--json', 'print JSON')
    .description(
      "replace this console's own key on every node where it speaks; goes on by itself, also after a restart",
    )
    .addHelpText(
      'after',
      `
Examples:
  key rotate
  key rotate --status
  key rotate --leave node-7

The next key is enrolled on each node by the present one, speaks there once, takes its place when all have heard it, and takes the one
before out. A node that is away holds it up until it is back or left behind. A gateway has to know the next key too: give
console.next.pub.json to who runs it. Where this console is no administrator, an administrator enrols that card (roster add).
Back the key up afterwards (key backup): backups of the one before open nothing any more.

Exit codes: 0 done or under way, 1 refused, 2 bad input.`,
    )
    .action(async (flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const asked = flags.cancel
        ? client.call('DELETE', path)
        : flags.leave !== undefined
          ? client.call('POST', `${path}/leave`, { node: flags.leave })
          : flags.status
            ? client.call('GET', path)
            : replace(client);
      const standing = orExit(await asked, flags.json);
      console.log(flags.json ? JSON.stringify(standing) : shown(standing as unknown as Standing));
    });
}

/** The key that is replaced is the one that the console has now. */
async function replace(client: ApiClient): Promise<Result<Record<string, unknown>>> {
  const present = await client.call('GET', path);
  return present.ok ? client.call('POST', path, { replaces: present.value['key'] }) : present;
}

function shown({ stage, key, next, old, card, nodes, waitsFor }: Standing): string {
  const rows = nodes.map(({ name, state, trouble }) => [
    name,
    state,
    trouble ? `${trouble.code}${trouble.detail === undefined ? '' : `: ${trouble.detail}`}` : '',
  ]);
  const where = rows.length === 0 ? [] : [table(['NODE', 'STATE', 'TROUBLE'], rows)];
  switch (stage) {
    case 'none':
      return `the key is ${key}; it is not being replaced`;
    case 'enrolling':
      return [
        `the key ${key} is being replaced by ${next ?? ''}`,
        `  its card  ${card ?? ''}`,
        ...waitsFor.map((what) => `  waits for the answer to ${what}`),
        ...where,
      ].join('\n');
    case 'removing':
      return [`the key is ${key}; the one before, ${old ?? ''}, is being taken out`, ...where].join('\n');
  }
}
