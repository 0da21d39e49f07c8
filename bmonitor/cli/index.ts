#!/usr/bin/env node
import { Command } from 'commander';
import { version } from '../version.js';
import { addInit } from './init.js';
import { addRun } from './run.js';

const program = new Command('bmonitor')
  .description('The daemon of a leased server, and its offline tools.')
  .version(version)
  .showHelpAfterError('(bmonitor --help shows what there is)')
  .configureHelp({ sortSubcommands: false });

addInit(program);
addRun(program);

await program.parseAsync();
