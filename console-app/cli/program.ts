import type { Command } from 'commander';
import { consoleProgram } from '../../console/cli/program.js';
import { takingCommands } from '../../console/cli/taking.js';
import { consoleApp } from '../main.js';
import { doorCommands } from './doors.js';
import { engineCommands } from './engines.js';

/** Everything that `console-app` can be told, not yet parsed. */
export function appProgram(): Command {
  const { program, dirOf } = consoleProgram(consoleApp);
  takingCommands(program.command('lease').description('the leases of this console'), dirOf, 'list');
  engineCommands(program, dirOf);
  const engines =
    program.commands.find((one) => one.name() === 'engines') ??
    program.command('engines').description('the engines on leased nodes');
  doorCommands(engines, dirOf);
  return program;
}
