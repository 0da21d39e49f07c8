import type { Command } from 'commander';
import { limits } from '../../protocol/limits.js';
import { writeFileWhole } from '../daemon/files.js';
import { clientFor, type ApiClient } from './client.js';
import { orExit, table } from './output.js';
import { number } from './options.js';

interface Line {
  readonly key: string;
  readonly time: number;
  readonly who: string;
  readonly role: string;
  readonly route: string;
  readonly about: string | null;
  readonly source: string | null;
  readonly code: string | null;
}

interface Page {
  readonly lines: readonly Line[];
  readonly more: boolean;
}

async function* pages(client: ApiClient, limit: number, json = false): AsyncGenerator<readonly Line[]> {
  for (let before = ''; ;) {
    const path = `/api/v1/audit?limit=${limit}${before === '' ? '' : `&before=${encodeURIComponent(before)}`}`;
    const page = orExit(await client.call('GET', path), json) as unknown as Page;
    yield page.lines;
    before = page.lines.at(-1)?.key ?? '';
    if (!page.more || before === '') return;
  }
}

/** Who did or tried what through this console. */
export function auditCommands(program: Command, dirOf: () => string): void {
  const audit = program.command('audit').description('who did or tried what through this console');
  audit
    .command('list')
    .option('--limit <lines>', 'how many, the latest first', number(1, limits.audit_page_lines_max), 40)
    .option('--json', 'print JSON')
    .description('the latest lines')
    .action(async (flags: { limit: number; json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/audit?limit=${flags.limit}`;
      const page = orExit(await client.call('GET', path), flags.json) as unknown as Page;
      if (flags.json) return console.log(JSON.stringify(page));
      const rows = page.lines.map(({ time, who, role, route, about, source, code }) => [
        new Date(time).toISOString().slice(0, 19).replace('T', ' '),
        who,
        role,
        route,
        about ?? '',
        source ?? '',
        code ?? 'done',
      ]);
      console.log(
        rows.length === 0
          ? 'nothing yet'
          : table(['TIME', 'WHO', 'ROLE', 'CALL', 'ABOUT', 'FROM', 'RESULT'], rows),
      );
    });
  audit
    .command('export')
    .option('--out <file>', 'the file to write; absent, standard output')
    .option('--json', 'print JSON about the file')
    .description('everything, the latest first, one JSON object a line')
    .action(async (flags: { out?: string; json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const all: string[] = [];
      for await (const lines of pages(client, limits.audit_page_lines_max, flags.json)) {
        const texts = lines.map((line) => JSON.stringify(line));
        if (flags.out === undefined) process.stdout.write(texts.map((text) => `${text}\n`).join(''));
        else all.push(...texts);
      }
      if (flags.out === undefined) return;
      orExit(writeFileWhole(flags.out, all.map((text) => `${text}\n`).join('')), flags.json);
      const said = { file: flags.out, lines: all.length };
      console.log(flags.json ? JSON.stringify(said) : `${said.lines} lines in ${said.file}`);
    });
}
