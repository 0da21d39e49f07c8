#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleCluster } from '../main.js';
import { accountCommands, tokenCommands } from './accounts.js';
import { adoptionCommands, inventoryCommands } from './adoption.js';
import { boundaryCommands, clusterCommands, exceptionCommands } from './clusters.js';
import { gatewayCommands } from './gateway.js';
import { customerCommands, leaseCommands } from './leases.js';

const { program, dirOf } = consoleProgram(consoleCluster);
customerCommands(program, dirOf);
leaseCommands(program, dirOf);
clusterCommands(program, dirOf);
exceptionCommands(program, dirOf);
boundaryCommands(program, dirOf);
gatewayCommands(program, dirOf);
adoptionCommands(program, dirOf);
inventoryCommands(program, dirOf);
accountCommands(program, dirOf);
tokenCommands(program, dirOf);
await program.parseAsync();
