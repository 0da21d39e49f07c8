import type { Command } from 'commander';
import { completeHelp } from '../../console/cli/help.js';
import { consoleProgram, type ConsoleProgram } from '../../console/cli/program.js';
import { accountCommands, tokenCommands } from './accounts.js';
import { adoptionCommands, inventoryCommands } from './adoption.js';
import { boundaryCommands, clusterCommands, exceptionCommands } from './clusters.js';
import { dhcpCommands } from './dhcp.js';
import { clusterExamples } from './examples.js';
import { gatewayCommands } from './gateway.js';
import { hardwareCommands } from './hardware.js';
import { outOfBandCommands } from './out-of-band.js';
import { saleCommands } from './sales.js';
import { quarantineCommands } from './quarantine.js';
import { customerCommands, leaseCommands } from '../../console/cli/leases.js';
import { sharedCommands } from './shared.js';

const consoleCluster: ConsoleProgram = {
  name: 'console-cluster',
  about: "The landlord's console: nodes, clusters, leases and boundaries of a facility.",
  defaultDir: '/var/lib/console-cluster',
  defaultPort: 7400,
  hasGateway: true,
  serve: async (parts) => (await import('../main.js')).serve(parts),
};

/** Everything that `console-cluster` can be told, not yet parsed. */
export function clusterProgram(): Command {
  const { program, dirOf } = consoleProgram(consoleCluster);
  customerCommands(program, dirOf);
  leaseCommands(program, dirOf);
  clusterCommands(program, dirOf);
  exceptionCommands(program, dirOf);
  boundaryCommands(program, dirOf);
  gatewayCommands(program, dirOf);
  adoptionCommands(program, dirOf);
  dhcpCommands(program, dirOf);
  inventoryCommands(program, dirOf);
  saleCommands(program, dirOf);
  outOfBandCommands(hardwareCommands(program, dirOf), dirOf);
  quarantineCommands(program, dirOf);
  accountCommands(program, dirOf);
  tokenCommands(program, dirOf);
  sharedCommands(program, dirOf);
  completeHelp(program, clusterExamples);
  return program;
}
