import type { EventEmitter } from 'node:events';
import type { Command } from 'commander';

/** What stands behind the help of a command when it prints nothing of its own there. By its words: `nodes show`. */
export type Examples = Readonly<Record<string, readonly string[]>>;

/** Of what both consoles have. */
export const sharedExamples: Examples = {
  init: ['--dir ./alder init --name alder --passphrase-file ./passphrase'],
  run: ['run', 'run --passphrase-file ./passphrase --log-level debug'],
  open: ['open'],
  'nodes remove': ['nodes remove node-7'],
  'nodes show': ['nodes show node-1', 'nodes show node-1 --json'],
  'nodes status': ['nodes status node-1'],
  'filters show': ['filters show node-1', 'filters show node-1 --json > node-1.filters.json'],
  'filters confirm': ['filters confirm node-1 12'],
  'filters undo': ['filters undo node-1 12'],
  'filters diff': ['filters diff ours.json node-1', 'filters diff ours.json group:web'],
  'filters try': ['filters try ours.json node-1 --capture seen.pcap'],
  'groups list': ['groups list'],
  'groups forget': ['groups forget web'],
  'key show': ['key show'],
  'key backup': ['key backup ./console.p12'],
  'key restore': ['key restore ./console.p12'],
  'key passphrase': ['key passphrase'],
  'key forget': ['key forget'],
  'audit list': ['audit list', 'audit list --json'],
  'audit export': ['audit export --json > audit.jsonl'],
  'customers list': ['customers list'],
};

const usual = 'Exit codes: 0 done, 1 refused, 2 bad input.';

/** Every command says how it is typed and how it ends. */
export function completeHelp(program: Command, examples: Examples): void {
  const visit = (command: Command, words: readonly string[]): void => {
    for (const sub of command.commands) visit(sub, [...words, sub.name()]);
    if (command.commands.length > 0) return;
    const own = ownHelp(command);
    const lines = examples[words.join(' ')] ?? [];
    const parts = [
      ...(own.includes('Example') || lines.length === 0 ? [] : [exampleText(lines)]),
      ...(/exit codes?/i.test(own) ? [] : [usual]),
    ];
    if (parts.length > 0) command.addHelpText('after', `\n${parts.join('\n\n')}`);
  };
  visit(program, []);
}

function exampleText(lines: readonly string[]): string {
  return [lines.length === 1 ? 'Example:' : 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** What the command itself wrote behind its help: commander keeps it as listeners, which write it when they are told to. */
function ownHelp(command: Command): string {
  let own = '';
  const context = { command, error: false, write: (text: string) => (own += text) };
  // It is an EventEmitter, which its types do not say.
  const listeners = (command as unknown as EventEmitter).listeners('afterHelp');
  for (const listener of listeners as ((told: object) => void)[]) listener(context);
  return own;
}
