import type { Command } from 'commander';
import { logLevels, stderrLog, type LogLevel } from '../../protocol/log.js';
import { exits, fail, powerExits } from './output.js';

export function addRun(program: Command): void {
  program
    .command('run')
    .description('Runs the node. Logs go to stderr, one JSON object a line.')
    .requiredOption('--dir <folder>', 'what `bmonitor init` made')
    .option(
      '--power <what>',
      'what commands act on that switch the machine: the machine, or this process only',
      'process',
    )
    .option('--log <level>', `how much to log: ${logLevels.join(', ')}`, 'info')
    .addHelpText(
      'after',
      `
Examples:
  bmonitor run --dir /var/lib/bmonitor
  bmonitor run --dir /var/lib/bmonitor --power machine

Exit codes: 0 it was stopped, 1 it cannot run or could not go on, 2 bad input; with --power process also, by command:
${powerExits.reboot} it wants to be started again, ${powerExits['power-off']} it wants to stay off.
`,
    )
    .action(run);
}

async function run(flags: {
  readonly dir: string;
  readonly log: string;
  readonly power: string;
}): Promise<void> {
  const level = logLevels.find((one) => one === flags.log);
  if (!level)
    return fail({ code: 'bad-input', where: '--log', detail: `one of ${logLevels.join(', ')}` }, false);
  if (flags.power !== 'machine' && flags.power !== 'process')
    return fail({ code: 'bad-input', where: '--power', detail: 'machine or process' }, false);
  const log = stderrLog(level satisfies LogLevel);
  const { runNode, Supervisor } = await import('../main.js');
  const supervisor = new Supervisor();
  const node = await runNode(flags.dir, log, flags.power);
  if (!node.ok) {
    supervisor.failing(`dark: ${node.refusal.code}`);
    return fail(node.refusal, false);
  }
  supervisor.ready(`node ${node.value.name}`);
  const stop = (code: number): void => {
    supervisor.stopping();
    // A second signal does not wait for anything: the store is safe at every moment.
    process.once('SIGINT', () => process.exit(1));
    void node.value.stop().then(() => process.exit(code));
  };
  process.once('SIGINT', () => stop(exits.done));
  process.once('SIGTERM', () => stop(exits.done));
  void node.value.asked.then((act) => stop(powerExits[act]));
  void node.value.failed.then(() => process.exit(exits.refused));
}
