import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { allOf, treeOf } from '../../console/cli/tree.js';
import { appProgram } from '../../console-app/cli/program.js';
import { clusterProgram } from '../../console-cluster/cli/program.js';
import { RealConsole } from '../fakes/console.js';
import { appRoutes, clusterRoutes, sharedRoutes, withoutRoute } from './routes-and-commands.js';

interface Line {
  readonly route: string;
  /** Empty: no command calls it, and the table says why. */
  readonly commands: readonly string[];
}

function linesOf(table: string, words: Readonly<Record<string, string>>): readonly Line[] {
  const filled = Object.entries(words).reduce((text, [word, by]) => text.replaceAll(`{${word}}`, by), table);
  return filled
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, route = '', commands = ''] = /^(\S+ \S+) +(.*)$/.exec(line) ?? [];
      const [first = '', ...others] = commands.split(', ');
      const group = first.split(' ').slice(0, -1).join(' ');
      return {
        route,
        commands: commands.startsWith('- ') ? [] : [first, ...others.map((one) => `${group} ${one}`)],
      };
    });
}

const consoles = [
  {
    kind: 'console-cluster',
    program: clusterProgram,
    more: clusterRoutes,
    words: { leases: 'leases', held: 'leases', taken: 'taken' },
  },
  {
    kind: 'console-app',
    program: appProgram,
    more: appRoutes,
    words: { leases: 'sublet', held: 'lease', taken: 'list' },
  },
] as const;

for (const { kind, program, more, words } of consoles)
  describe(`the command line of ${kind}, beside its API`, () => {
    const console = new RealConsole(kind);
    // What is a sub-lease in the API is let further by `sublet`.
    const api =
      kind === 'console-app'
        ? sharedRoutes.replaceAll('/api/v1/{leases}', '/api/v1/sub-leases')
        : sharedRoutes;
    const lines = [...linesOf(api, words), ...linesOf(more, words)];
    const commands = allOf(treeOf(program()))
      .filter((told) => told.commands.length === 0)
      .map((told) => told.words.slice(1).join(' '));

    before(async () => {
      console.init();
      await console.run();
    });
    after(async () => console.remove());

    it('does everything that the API does', async () => {
      const { url } = JSON.parse(readFileSync(join(console.dir, 'running.json'), 'utf8')) as {
        readonly url: string;
      };
      const token = readFileSync(join(console.dir, 'token'), 'utf8').trim();
      const answer = await fetch(`${url}/api/v1/openapi.json`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const { paths } = (await answer.json()) as { readonly paths: Readonly<Record<string, object>> };
      const routes = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      expect(routes.toSorted()).to.deep.equal(lines.map(({ route }) => route).toSorted());
    });

    it('has each command that the table names, and none that is in no table', () => {
      const named = new Set(lines.flatMap((line) => line.commands));
      expect([...named].filter((one) => !commands.includes(one))).to.deep.equal([]);
      expect(commands.filter((one) => !named.has(one) && withoutRoute[one] === undefined)).to.deep.equal([]);
    });

    it('ends with 2 when it does not understand what was typed, and with 1 when that was refused', () => {
      expect(console.cli('nodes', 'show').status).to.equal(2);
      expect(console.cli('nodes', 'lst').status).to.equal(2);
      expect(console.cli('nodes', 'list', '--jsn').status).to.equal(2);
      expect(console.cli('nodes', 'add', console.file('card.json', '{"v":1}')).status).to.equal(2);
      expect(console.cli('nodes', 'show', 'nobody').status).to.equal(1);
      expect(console.cli('nodes', 'show', '--help').status).to.equal(0);
    });
  });
