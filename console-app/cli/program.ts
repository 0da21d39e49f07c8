import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { completeHelp } from '../../console/cli/help.js';
import { consoleProgram, type ConsoleProgram } from '../../console/cli/program.js';
import { takingCommands } from '../../console/cli/taking.js';
import {
  customerCommands,
  leaseCommands as subLeaseCommands,
  type LeasesAt,
} from '../../console/cli/leases.js';
import { pastCommand } from '../../console/cli/past.js';
import { devCommand } from './dev.js';
import { doorCommands } from './doors.js';
import { engineCommands } from './engines.js';
import { appExamples } from './examples.js';

const stateHome = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state');

const consoleApp: ConsoleProgram = {
  name: 'console-app',
  about: "The tenant's console: software, sub-boundaries and keys on leased nodes.",
  defaultDir: join(stateHome, 'console-app'),
  defaultPort: 7500,
  hasGateway: false,
  serve: async (parts) => (await import('../main.js')).serve(parts),
};

const sublet: LeasesAt = {
  name: 'sublet',
  about: 'leases of nodes further, to sub-tenants, where the own lease grants that (the right `lease`)',
  path: '/api/v1/sub-leases',
};

/** Everything that `console-app` can be told, not yet parsed. */
export function appProgram(): Command {
  const { program, dirOf } = consoleProgram(consoleApp);
  takingCommands(program.command('lease').description('the leases of this console'), dirOf, 'list');
  pastCommand(program, dirOf);
  customerCommands(program, dirOf);
  subLeaseCommands(program, dirOf, sublet);
  devCommand(program, dirOf);
  engineCommands(program, dirOf);
  const engines =
    program.commands.find((one) => one.name() === 'engines') ??
    program.command('engines').description('the engines on leased nodes');
  doorCommands(engines, dirOf);
  completeHelp(program, appExamples);
  return program;
}
