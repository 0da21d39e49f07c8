#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleApp } from '../main.js';
import { engineCommands } from './engines.js';
import { leaseCommands } from './leases.js';

const { program, dirOf } = consoleProgram(consoleApp);
leaseCommands(program, dirOf);
engineCommands(program, dirOf);
await program.parseAsync();
