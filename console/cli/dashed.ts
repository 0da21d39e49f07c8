import type { Command } from 'commander';

/** An id of 16 or of 32 bytes as it is printed, one of which in sixty-four begins with a dash. */
const dashedId = /^-[A-Za-z0-9_-]{21}(?:[A-Za-z0-9_-]{21})?$/;

/** Stands before such an id while commander looks for options. No shell hands it over by itself. */
const shield = '\u0001';

/**
 * Runs a command line in which an id that begins with a dash is an id, as every other is: nobody chooses how an id begins, and one that was copied from
 * a list must not be taken for an option.
 */
export async function parseWithIds(program: Command, args: readonly string[]): Promise<void> {
  const options = optionsOf(program);
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const isId = (arg: string, at: number): boolean => at < end && dashedId.test(arg) && !options.has(arg);
  program.hook('preAction', (_, action) => bare(action));
  await program.parseAsync(
    args.map((arg, at) => (isId(arg, at) ? shield + arg : arg)),
    { from: 'user' },
  );
}

function optionsOf(command: Command): ReadonlySet<string> {
  const own = command.options.flatMap(({ long, short }) => [long, short].filter((it) => it !== undefined));
  return new Set([...own, ...command.commands.flatMap((sub) => [...optionsOf(sub)])]);
}

/** Takes the shields away again, from what the command is given and from the values of all options. */
function bare(action: Command): void {
  action.processedArgs.splice(0, Infinity, ...action.processedArgs.map(withoutShield));
  for (let command: Command | null = action; command; command = command.parent)
    for (const [name, value] of Object.entries(command.opts<Record<string, unknown>>()))
      command.setOptionValue(name, withoutShield(value));
}

function withoutShield(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutShield);
  return typeof value === 'string' && value.startsWith(shield) ? value.slice(shield.length) : value;
}
