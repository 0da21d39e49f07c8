import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { stderrLog } from '../../protocol/log.js';
import type { PairingCodes } from '../../protocol/pairing/codes.js';
import { configFrom, fileWarning, withConfigOptions, type ConfigFlags } from './config-options.js';
import { fail } from './output.js';

interface PairFlags extends ConfigFlags {
  readonly anew?: string;
}

export function addPair(program: Command): void {
  const pair = program
    .command('pair')
    .description(
      'Makes a node together with the landlord’s console: waits there to be adopted, and compares two short codes.',
    );
  withConfigOptions(pair)
    .option('--anew <name>', 'destroy the node that is in this folder, by its name, and make a new one')
    .option('--json', 'print the card as JSON')
    .addHelpText(
      'after',
      `
The console's code is asked for on this machine; the machine's code is typed at the console. One try: for another one, run it again.

Examples:
  bmonitor pair --dir /var/lib/bmonitor --gateway wss://10.0.0.2:7443
  bmonitor pair --dir /var/lib/bmonitor --interface eth0 --dhcp     # the console's DHCP says where its gateway is
  bmonitor pair --dir /var/lib/bmonitor --gateway wss://10.0.0.2:7443 --anew web-1

Exit codes: 0 adopted, 1 refused or not so, 2 bad input.
`,
    )
    .action(pairing);
}

async function pairing(flags: PairFlags): Promise<void> {
  const json = flags.json === true;
  const config = configFrom(flags);
  if (!config.ok) return fail(config.refusal, json);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const [gateway] = config.value.gateways ?? [];
  const { pairNode } = await import('../pair.js');
  const paired = await pairNode({
    folder: flags.dir,
    config: config.value,
    url: flags.url ?? `wss://${flags.listen}`,
    ...(gateway === undefined ? {} : { gateway }),
    ...(flags.anew === undefined ? {} : { anew: flags.anew }),
    waiting: (url) => say(`waiting at ${url}; at the console: console-cluster adoption list`),
    compare,
    log: stderrLog('warn'),
  });
  if (!paired.ok) return fail(paired.refusal, json);
  const { card, console: landlord } = paired.value;
  if (card.keyStore === 'file') process.stderr.write(fileWarning);
  process.stdout.write(
    json
      ? `${JSON.stringify(card)}\n`
      : `this machine is now node ${card.name} of ${landlord} (${paired.value.landlord})\n` +
          `start it: bmonitor run --dir ${flags.dir}\n`,
  );
  process.exit(0);
}

/** Typed, not only looked at: a code that is merely shown is soon agreed to unread. */
function compare(codes: PairingCodes): Promise<string> {
  process.stderr.write(
    `code of this machine:  ${codes.machine}   (type it at the console)\ncode of the console:   `,
  );
  const reader = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    reader.once('line', (line) => {
      resolve(line);
      reader.close();
    });
    reader.once('close', () => resolve(''));
  });
}
