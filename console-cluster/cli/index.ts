#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleCluster } from '../main.js';

await consoleProgram(consoleCluster).program.parseAsync();
