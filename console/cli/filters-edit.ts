import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { messageOf } from '../../protocol/log.js';
import { refuse } from '../../protocol/result.js';
import type { ApiClient } from './client.js';
import { bodyFrom, differencesOf, fitsOf, fitText, type Compared } from './filters-asked.js';
import { tryOn } from './filters-try.js';
import { orExit, refusalText } from './output.js';

/** What a person works on: the file, what its names stand for, and where the verdict of each save is written. */
interface Desk {
  readonly folder: string;
  readonly file: string;
  readonly namesFile: string;
  readonly verdictFile: string;
  readonly targets: readonly string[];
  readonly first: string;
}

interface Verdict {
  readonly good: boolean;
  readonly text: string;
  /** When it fits: the request as it was proved. */
  readonly body?: object;
}

/** Until it is applied or the person gives up; the exit code. What was written is never lost: its file is named. */
export async function editFilters(
  client: ApiClient,
  targets: readonly string[],
  capture: string | undefined,
): Promise<number> {
  if (!process.stdin.isTTY) orExit(refuse('no-terminal', 'use filters check and filters apply-all'));
  const desk = await deskFor(client, targets);
  const begun = readFileSync(desk.file, 'utf8');
  console.error(
    `each save is proved while you write: see the title of this terminal, or ${desk.verdictFile}`,
  );
  for (;;) {
    const failed = await editing(client, desk);
    const written = readFileSync(desk.file, 'utf8');
    if (written === begun) {
      rmSync(desk.folder, { recursive: true });
      console.log(failed === undefined ? 'nothing was changed' : `${failed}; nothing was changed`);
      return failed === undefined ? 0 : 1;
    }
    if (failed !== undefined) return leave(desk, `${failed}: `);
    const verdict = await verdictOn(client, desk);
    console.error(verdict.text);
    const compared = verdict.body && (await look(client, desk, verdict.body, capture));
    const answer = await answerTo(
      compared ? 'apply, edit again, or quit? [a/e/q] ' : 'edit again, or quit? [e/q] ',
    );
    if (answer === 'quit') return leave(desk, '');
    if (answer !== 'apply' || !compared || !verdict.body) continue;
    const body = { ...verdict.body, expect: compared.versions };
    const applied = await client.call('POST', '/api/v1/filters/apply', body);
    if (applied.ok) {
      for (const [node, version] of Object.entries(applied.value['versions'] as Record<string, number>))
        console.log(`${node} enforces version ${version}`);
      rmSync(desk.folder, { recursive: true });
      return 0;
    }
    console.error(refusalText(applied.refusal));
    if ((await answerTo('edit again, or quit? [e/q] ')) === 'quit') return leave(desk, '');
  }
}

function leave({ file }: Desk, why: string): number {
  console.log(`${why}nothing was applied; what you wrote is in ${file}`);
  return 1;
}

async function deskFor(client: ApiClient, targets: readonly string[]): Promise<Desk> {
  const [target = ''] = targets;
  const first = target.startsWith('group:') ? await firstOfGroup(client, target.slice(6)) : target;
  const path = `/api/v1/nodes/${encodeURIComponent(first)}/filters`;
  const { set, names } = orExit(await client.call('GET', path));
  const folder = mkdtempSync(join(tmpdir(), 'filters-'));
  const [file, namesFile] = [join(folder, 'filters.json'), join(folder, 'names.json')];
  writeFileSync(file, `${JSON.stringify(set, null, 2)}\n`, { mode: 0o600 });
  writeFileSync(namesFile, JSON.stringify(names), { mode: 0o600 });
  return { folder, file, namesFile, verdictFile: join(folder, 'verdict.txt'), targets, first };
}

async function firstOfGroup(client: ApiClient, group: string): Promise<string> {
  const answer = orExit(await client.call('GET', '/api/v1/groups'));
  const all = answer['groups'] as readonly { name: string; nodes: readonly string[] }[];
  const found = all.find(({ name }) => name === group)?.nodes[0];
  return found ?? orExit(refuse('not-found', `no group:${group} with a node in it`));
}

async function verdictOn(client: ApiClient, { file, namesFile, targets }: Desk): Promise<Verdict> {
  const body = bodyFrom(file, targets, { names: namesFile });
  const fits = body.ok ? await fitsOf(client, body.value) : body;
  if (!fits.ok || !body.ok)
    return { good: false, text: refusalText(fits.ok ? refuse('bad-input').refusal : fits.refusal) };
  const good = fits.value.every(({ within }) => within === true);
  const text = fits.value.map(fitText).join('\n');
  return good ? { good, text, body: body.value } : { good, text };
}

/** What it would change, and what would become of the packets of a capture. Undefined: that is not known, so it is not applied. */
async function look(
  client: ApiClient,
  { first }: Desk,
  body: object,
  capture: string | undefined,
): Promise<Compared | undefined> {
  const compared = await differencesOf(client, body);
  console.error(compared.ok ? compared.value.text : refusalText(compared.refusal));
  if (capture !== undefined) {
    const counts = new Map<string, number>();
    const tried = await tryOn(client, { node: first, asked: body, capture }, (_number, { verdict }) => {
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    });
    const words = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
    console.error(
      tried.ok ? `packets of ${capture} on ${first}: ${words || 'none'}` : refusalText(tried.refusal),
    );
  }
  return compared.ok ? compared.value : undefined;
}

/** Runs the editor, and says to every save meanwhile whether it fits. The answer: why it did not end well. */
async function editing(client: ApiClient, desk: Desk): Promise<string | undefined> {
  const title = new Title();
  let soon: NodeJS.Timeout | undefined;
  const watching = watch(desk.folder, (_event, name) => {
    if (name !== basename(desk.file)) return;
    soon ??= setTimeout(() => {
      soon = undefined;
      void verdictOn(client, desk).then(({ good, text }) => {
        if (title.closed) return;
        writeFileSync(desk.verdictFile, `${text}\n`);
        title.show(good ? 'fits' : text.replaceAll(/\s+/g, ' '));
      });
    }, 100);
  });
  const editor = process.env['VISUAL'] ?? process.env['EDITOR'] ?? 'vi';
  const [program = 'vi', ...args] = editor.split(' ').filter((word) => word !== '');
  const failed = await new Promise<string | undefined>((resolve) => {
    const child = spawn(program, [...args, desk.file], { stdio: 'inherit' });
    child.once('error', (error) => resolve(`the editor ${program} did not start (${messageOf(error)})`));
    child.once('exit', (code, signal) =>
      resolve(code === 0 ? undefined : `the editor ended with ${signal ?? code}`),
    );
  });
  clearTimeout(soon);
  watching.close();
  title.close();
  return failed;
}

/** The title of the terminal: the one place beside an editor that fills it. */
class Title {
  closed = false;

  constructor() {
    this.#write('\u001B[22;0t');
  }

  show(text: string): void {
    // Nothing of what a node or a file says may act on the terminal.
    const plain = text.replaceAll(/\p{Cc}/gu, '');
    this.#write(`\u001B]0;${plain.slice(0, 200)}\u0007`);
  }

  close(): void {
    this.closed = true;
    this.#write('\u001B[23;0t');
  }

  #write(sequence: string): void {
    if (process.stderr.isTTY) process.stderr.write(sequence);
  }
}

const answers = { a: 'apply', apply: 'apply', e: 'edit', edit: 'edit', q: 'quit', quit: 'quit' } as const;

/** Asked until the answer is one of those. Who closes the terminal quits. */
async function answerTo(question: string): Promise<'apply' | 'edit' | 'quit'> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    for (;;) {
      const said = await lineOf(terminal, question);
      if (said === undefined) return 'quit';
      const answer = Object.entries(answers).find(([word]) => word === said.trim().toLowerCase())?.[1];
      if (answer !== undefined && (answer !== 'apply' || question.includes('apply'))) return answer;
    }
  } finally {
    terminal.close();
  }
}

async function lineOf(terminal: Interface, question: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    terminal.once('close', () => resolve(undefined));
    terminal.question(question, resolve);
  });
}
