import { Command } from 'commander';
import { version } from '../version.js';
import { addChain } from './chain.js';
import { addDoctor } from './doctor.js';
import { addEngines } from './engines.js';
import { addFilters } from './filters.js';
import { addHistory } from './history.js';
import { addInit } from './init.js';
import { exits } from './output.js';
import { addPair } from './pair.js';
import { addReceipt } from './receipt.js';
import { addRun } from './run.js';
import { addStatus } from './status.js';

/** Everything that `bmonitor` can be told, not yet parsed. */
export function bmonitorProgram(): Command {
  const program = new Command('bmonitor')
    .description('The daemon of a leased server, and its offline tools.')
    .version(version)
    .showHelpAfterError('(bmonitor --help shows what there is)')
    .configureHelp({ sortSubcommands: false })
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? exits.done : exits.badInput));

  addInit(program);
  addPair(program);
  addRun(program);
  addStatus(program);
  addChain(program);
  addHistory(program);
  addReceipt(program);
  addFilters(program);
  addEngines(program);
  addDoctor(program);

  return program;
}
