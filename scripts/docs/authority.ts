import { authority } from '../../bmonitor/authority/table.js';
import { commandTypes } from '../../protocol/commands.js';

const when = { granted: 'granted', active: 'active', dark: 'dark' } as const;
const nonce = { never: '', always: 'always', loosens: 'when it loosens' } as const;

/** docs/authority.md: the table of authority, for people. */
export function authorityPage(commandsSource: string): string {
  const docs = docLines(commandsSource);
  const rows = commandTypes.map((command) => {
    const { levels, right, role, when: states, nonce: proof, changes } = authority[command];
    const cells = [
      `\`${command}\``,
      levels === 'landlord' ? 'landlord' : 'any level',
      right === 'none' ? '' : `\`${right}\``,
      role,
      states.map((state) => when[state]).join(', '),
      nonce[proof],
      changes ? 'yes' : '',
      docs.get(command) ?? '',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '# Who may do what',
    '',
    '<!-- Made from bmonitor/authority/table.ts and protocol/commands.ts by npm run docs. Do not edit. -->',
    '',
    'There is one table and one function that reads it; what it does not grant is refused. The fields of each command are in',
    '[commands.md](commands.md).',
    '',
    'A level speaks through an enrolled console, whose role is at least the one shown: administrator, operator, developer. `while` names the',
    'states of its lease: granted and not yet taken, active, or dark (past its end, its keys not yet destroyed). A nonce is one that the',
    'node gave less than a minute before, so that no clock decides. What changes the node is recorded, and acts once for an id.',
    '',
    '| command | who | right | least role | while | nonce | changes | what it does |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The doc comment above each command, in one line. */
function docLines(source: string): ReadonlyMap<string, string> {
  const found = source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*'?([a-z.]+)'?: object\(/g);
  return new Map(
    [...found].map(([, comment = '', command = '']) => [
      command,
      comment
        .split('\n')
        .map((line) => line.replace(/^\s*\*? ?/, '').trim())
        .join(' ')
        .trim()
        .replaceAll('|', '\\|'),
    ]),
  );
}
