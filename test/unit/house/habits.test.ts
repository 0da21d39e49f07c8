import { expect } from 'chai';
import { tokensOf, type Token } from './lexer.js';
import { production, read, sources } from './sources.js';
import { roomOf } from './rooms.js';

interface Habit {
  readonly name: string;
  readonly applies: (file: string) => boolean;
  readonly breach: (tokens: readonly Token[], at: number) => boolean;
}

const everywhere = (): boolean => true;
const inProduction = (file: string): boolean => production.includes(file);
/** Rooms that receive `now` and randomness, and leave files, sockets, processes and clocks to the host. */
const pureRooms = ['bmonitor/authority', 'bmonitor/filters', 'bmonitor/node', 'bmonitor/ports'];
const pure = (file: string): boolean => pureRooms.includes(roomOf(file));

function sequence(...values: readonly string[]) {
  return (tokens: readonly Token[], at: number): boolean =>
    values.every((value, step) => tokens[at + step]?.value === value && tokens[at + step]?.kind !== 'text');
}

const outsideWorld =
  /^node:(fs|fs\/promises|net|http|https|http2|dgram|tls|child_process|worker_threads|dns|os|timers|timers\/promises)$/;

const habits: readonly Habit[] = [
  {
    name: 'no command is given to a shell as one string',
    applies: (file) => !file.startsWith('test/unit/house/'),
    breach: (tokens, at) =>
      (['exec', 'execSync'].includes(tokens[at]?.value ?? '') && importedFromChildProcess(tokens, at)) ||
      sequence('shell', ':', 'true')(tokens, at),
  },
  {
    name: 'nothing is decided by Math.random',
    applies: inProduction,
    breach: sequence('Math', '.', 'random'),
  },
  {
    name: 'nothing is evaluated',
    applies: everywhere,
    breach: (tokens, at) => sequence('eval', '(')(tokens, at) || sequence('new', 'Function', '(')(tokens, at),
  },
  {
    name: 'no certificate goes unchecked',
    applies: inProduction,
    breach: (tokens, at) => tokens[at]?.value === 'NODE_TLS_REJECT_UNAUTHORIZED',
  },
  {
    name: 'pure parts receive the time',
    applies: pure,
    breach: (tokens, at) =>
      sequence('Date', '.', 'now')(tokens, at) ||
      sequence('performance', '.', 'now')(tokens, at) ||
      sequence('new', 'Date', '(', ')')(tokens, at),
  },
  {
    name: 'pure parts wait for nothing; only the streams of bmonitor/node do',
    applies: (file) => pure(file) && file !== 'bmonitor/node/streams.ts',
    breach: (tokens, at) =>
      sequence('setTimeout', '(')(tokens, at) || sequence('setInterval', '(')(tokens, at),
  },
  {
    name: 'pure parts touch no files, sockets, processes or clocks',
    applies: pure,
    breach: (tokens, at) => tokens[at]?.kind === 'text' && outsideWorld.test(tokens[at]?.value ?? ''),
  },
];

function importedFromChildProcess(tokens: readonly Token[], at: number): boolean {
  if (tokens[at]?.kind !== 'name') return false;
  for (let ahead = at; ahead < Math.min(at + 30, tokens.length); ahead++)
    if (tokens[ahead]?.value === 'from') return tokens[ahead + 1]?.value === 'node:child_process';
  return false;
}

function breaches(habit: Habit, file: string, source: string): string[] {
  const tokens = tokensOf(source);
  return tokens.flatMap((token, at) => (habit.breach(tokens, at) ? [`${file}:${token.line}`] : []));
}

const lines_max = 400;

describe('house: habits', () => {
  for (const habit of habits) {
    it(habit.name, () => {
      const found = sources.filter(habit.applies).flatMap((file) => breaches(habit, file, read(file)));
      expect(found).to.deep.equal([]);
    });
  }

  it('no type checking or linting is switched off for a whole file, nor any type error hidden', () => {
    const marks = /@ts-(ignore|nocheck|expect-error)|(eslint|oxlint)-disable(?!-next-line)/;
    const found = sources.filter((file) => !file.startsWith('test/unit/house/') && marks.test(read(file)));
    expect(found).to.deep.equal([]);
  });

  it(`files stay under ${lines_max} lines`, () => {
    const long = sources.filter((file) => read(file).split('\n').length > lines_max);
    expect(long).to.deep.equal([]);
  });

  it('breaches are found when there are some', () => {
    const wrong = [
      "import { exec } from 'node:child_process';",
      'spawn(x, { shell: true });',
      'Math.random(); eval(x); new Function(x);',
      'Date.now(); new Date(); setTimeout(f, 1);',
      "import 'node:fs/promises';",
      "process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';",
    ].join('\n');
    const found = habits.map((habit) => breaches(habit, 'x.ts', wrong).length);
    expect(found).to.deep.equal([2, 1, 2, 1, 2, 1, 2]);
  });

  it('breaches are not found in texts and comments, nor in methods of the same name', () => {
    const right = "// Math.random()\nconst text = 'Math.random()'; pattern.exec(text); new Date(5);";
    expect(habits.flatMap((habit) => breaches(habit, 'x.ts', right))).to.deep.equal([]);
  });
});
