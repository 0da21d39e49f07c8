import type { Command } from 'commander';

/** A command as a person types it, with all that may follow: what completion and manual pages are made from, as `--help` is. */
export interface Told {
  /** From the program on: `console-cluster`, `nodes`, `add`. */
  readonly words: readonly string[];
  readonly about: string;
  readonly arguments: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly Option[];
  readonly commands: readonly Told[];
  /** What stands behind the help: examples, exit codes. */
  readonly after: string;
}

interface Option {
  readonly long: string;
  readonly short?: string;
  readonly flags: string;
  readonly about: string;
  readonly takesValue: boolean;
}

export function treeOf(command: Command, before: readonly string[] = []): Told {
  const words = [...before, command.name()];
  const help = command.createHelp();
  return {
    words,
    about: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      about: argument.description,
    })),
    options: command.options.map((option) => ({
      long: option.long ?? option.short ?? '',
      ...(option.short === undefined || option.short === null ? {} : { short: option.short }),
      flags: option.flags,
      about: help.optionDescription(option),
      takesValue: option.required || option.optional,
    })),
    commands: command.commands.map((sub) => treeOf(sub, words)),
    after: afterHelp(command),
  };
}

/** Commander gives the text behind the help only where it prints all of it. */
function afterHelp(command: Command): string {
  let all = '';
  command.configureOutput({
    writeOut: (text) => {
      all += text;
    },
  });
  command.outputHelp();
  return all.slice(command.helpInformation().length).trim();
}

export function allOf(told: Told): readonly Told[] {
  return [told, ...told.commands.flatMap(allOf)];
}
