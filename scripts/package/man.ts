import type { Command } from 'commander';
import { allOf, treeOf, type Told } from '../../console/cli/tree.js';

/** A manual page in the language of man, from the same source as `--help`. */
export function manualPage(program: Command, version: string): string {
  const tree = treeOf(program);
  const name = tree.words[0] ?? '';
  return [
    `.TH ${name.toUpperCase()} 1 "" "BMonitor ${version}" "BMonitor"`,
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(tree.about)}`,
    '.SH SYNOPSIS',
    `.B ${escaped(name)}`,
    '[options] <command>',
    '.SH OPTIONS',
    ...optionLines(tree),
    '.SH COMMANDS',
    ...allOf(tree)
      .slice(1)
      .filter(({ commands }) => commands.length === 0)
      .flatMap(commandLines),
    ...(tree.after === '' ? [] : ['.SH EXAMPLES', ...verbatim(tree.after)]),
    '',
  ].join('\n');
}

function commandLines(told: Told): string[] {
  const given = told.arguments.map(({ name }) => `<${name}>`).join(' ');
  return [
    `.SS "${escaped([...told.words.slice(1), given].join(' ').trim())}"`,
    escaped(told.about),
    ...told.arguments
      .filter(({ about }) => about !== '')
      .flatMap(({ name, about }) => ['.TP', `\\fI${escaped(name)}\\fR`, escaped(about)]),
    ...optionLines(told),
    ...(told.after === '' ? [] : ['.PP', ...verbatim(told.after)]),
  ];
}

function optionLines({ options }: Told): string[] {
  return options.flatMap(({ flags, about }) => ['.TP', `\\fB${escaped(flags)}\\fR`, escaped(about)]);
}

function verbatim(text: string): string[] {
  return ['.nf', ...text.split('\n').map(escaped), '.fi'];
}

/** A dot or an apostrophe at the start of a line would be a command of man, a backslash one of its escapes. */
function escaped(text: string): string {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll(/[^\0-~]/gu, unicode);
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

function unicode(letter: string): string {
  return `\\[u${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
