#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleApp } from '../main.js';
import { doorCommands } from './doors.js';
import { engineCommands } from './engines.js';
import { leaseCommands } from './leases.js';

const { program, dirOf } = consoleProgram(consoleApp);
leaseCommands(program, dirOf);
engineCommands(program, dirOf);
const engines =
  program.commands.find((one) => one.name() === 'engines') ??
  program.command('engines').description('the engines on leased nodes');
doorCommands(engines, dirOf);
await program.parseAsync();
