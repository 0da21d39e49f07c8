#!/usr/bin/env node
import { consoleProgram } from '../../console/cli/program.js';
import { consoleApp } from '../main.js';

await consoleProgram(consoleApp).program.parseAsync();
