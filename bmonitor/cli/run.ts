import type { Command } from 'commander';
import { logLevels, stderrLog, type LogLevel } from '../../protocol/log.js';
import { runNode, Supervisor } from '../main.js';
import { exits, fail } from './output.js';

export function addRun(program: Command): void {
  program
    .command('run')
    .description('Runs the node. Logs go to stderr, one JSON object a line.')
    .requiredOption('--dir <folder>', 'what `bmonitor init` made')
    .option('--log <level>', `how much to log: ${logLevels.join(', ')}`, 'info')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor run --dir /var/lib/bmonitor
  bmonitor run --dir /srv/node --log debug

Exit codes: 0 it was stopped, 1 it cannot run or could not go on, 2 bad input.
`,
    )
    .action(run);
}

async function run(flags: { readonly dir: string; readonly log: string }): Promise<void> {
  const level = logLevels.find((one) => one === flags.log);
  if (!level)
    return fail({ code: 'bad-input', where: '--log', detail: `one of ${logLevels.join(', ')}` }, false);
  const log = stderrLog(level satisfies LogLevel);
  const supervisor = new Supervisor();
  const node = await runNode(flags.dir, log);
  if (!node.ok) {
    supervisor.failing(`dark: ${node.refusal.code}`);
    return fail(node.refusal, false);
  }
  supervisor.ready(`node ${node.value.name}`);
  const stop = (): void => {
    supervisor.stopping();
    // A second signal does not wait for anything: the store is safe at every moment.
    process.once('SIGINT', () => process.exit(1));
    void node.value.stop().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  void node.value.failed.then(() => process.exit(exits.refused));
}
