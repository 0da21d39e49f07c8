#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleCluster } from '../main.js';
import { leaseCommands } from './leases.js';

const { program, dirOf } = consoleProgram(consoleCluster);
leaseCommands(program, dirOf);
await program.parseAsync();
