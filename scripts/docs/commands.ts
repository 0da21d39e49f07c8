import { authority, type Grant } from '../../bmonitor/authority/table.js';
import { commandParsers, commandTypes, type CommandType } from '../../protocol/commands.js';
import type { Parse } from '../../protocol/parse.js';

/** The sentence above each command in the sources. */
function sentences(source: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, comment = '', quoted, plain] of source.matchAll(
    /\/\*\*([^/]*?)\*\/\n {2}(?:'([a-z.-]+)'|([a-z]+)): object/g,
  ))
    found.set(quoted ?? plain ?? '', comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim());
  return found;
}

const nonces: Readonly<Record<Grant['nonce'], string>> = {
  never: 'no nonce needed',
  always: 'always with a nonce',
  loosens: 'with a nonce when it lets through what was not before',
};

function whoMay(type: CommandType): string {
  const { levels, right, role, when, nonce, changes } = authority[type];
  const parts = [
    levels === 'any' ? 'any level' : 'the landlord only',
    right === 'none' ? 'no right needed' : `right \`${right}\``,
    `role ${role} or higher`,
    `while its lease is ${when.join(', ')}`,
    nonces[nonce],
    changes ? 'changes the node: recorded, acts once for an id' : 'reads only',
  ];
  return parts.join('; ');
}

function fieldRows(parse: Parse<object>): readonly string[] {
  const members = Object.entries(parse.members ?? {});
  if (members.length === 0) return ['It has no fields.', ''];
  const rows = members.map(([name, member]) =>
    typeof member === 'function'
      ? `| \`${name}\` | yes | ${member.about ?? ''} |`
      : `| \`${name}\` | no | ${member.optional.about ?? ''} |`,
  );
  return ['| field | must be there | form |', '| --- | --- | --- |', ...rows, ''];
}

/** The page of all commands, from their parsers and the table of authority. */
export function commandsPage(source: string): string {
  const told = sentences(source);
  const sections = commandTypes.flatMap((type) => {
    const sentence = told.get(type);
    if (sentence === undefined) throw new Error(`${type} has no sentence above it in protocol/commands.ts`);
    return [
      `## \`${type}\``,
      '',
      sentence,
      '',
      `Who may: ${whoMay(type)}.`,
      '',
      ...fieldRows(commandParsers[type]),
    ];
  });
  return [
    '# Commands',
    '',
    '<!-- Made from protocol/commands.ts and bmonitor/authority/table.ts by npm run docs. Do not edit. -->',
    '',
    'Every command there is, with its fields and who may give it. A command is an object with the member `type` and the',
    'fields below; any other member is refused with `bad-input`, an unknown type with `unknown-command`. How a command',
    'travels is in [protocol.md](protocol.md). Moments are seconds since 1970. Public keys are `{"kty":"RSA","n":…,"e":"AQAB"}`,',
    '2048 to 4096 bits.',
    '',
    ...sections,
  ].join('\n');
}
