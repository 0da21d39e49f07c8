import type { Command } from 'commander';
import { canRun, examine } from '../health/doctor.js';
import type { Finding } from '../health/machine.js';
import { exits } from './output.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Checks whether this machine is a good place for a node: what is missing, weak or unknown.')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nEnds with 0 if a node can run here, else with 1.\n')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { readMachine } = await import('../local.js');
      const findings = examine(await readMachine());
      process.stdout.write(json === true ? `${JSON.stringify(findings)}\n` : table(findings));
      process.exitCode = canRun(findings) ? exits.done : exits.refused;
    });
}

function table(findings: readonly Finding[]): string {
  return findings
    .map(({ verdict, what, says, todo }) => {
      const line = `${verdict.padEnd(8)} ${what.padEnd(17)} ${says}\n`;
      return todo === undefined ? line : `${line}${' '.repeat(27)}→ ${todo}\n`;
    })
    .join('');
}
