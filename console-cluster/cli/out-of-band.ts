import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { readSecretFile } from '../../console/daemon/files.js';
import { outOfBandActs } from '../hardware/ipmi.js';
import { nodePath } from './hardware.js';

interface Json {
  readonly json?: boolean;
}
interface Reach extends Json {
  readonly host?: string;
  readonly port: number;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly cipherSuite?: number;
  readonly mac?: string;
  readonly broadcast: string;
}

/** Power through the management controller, and the packet that wakes. */
export function outOfBandCommands(hardware: Command, dirOf: () => string): void {
  hardware
    .command('power')
    .argument('<node>')
    .argument(`<${outOfBandActs.join('|')}>`)
    .requiredOption(
      '--out-of-band',
      'through the management controller: engines get no time and nobody is told',
    )
    .option('--json', 'print JSON')
    .description('switch or ask a machine whose own system need not run')
    .addHelpText('after', '\nExample:\n  hardware power node-1 cycle --out-of-band')
    .action(async (node: string, act: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('POST', nodePath(node, 'out-of-band'), { act }), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : String(answer['said']));
    });
  hardware
    .command('wake')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('send the packet that wakes a machine; its node shows whether it woke')
    .action(async (node: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('POST', nodePath(node, 'wake')), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : 'sent');
    });
  reachCommands(hardware, dirOf);
}

function reachCommands(hardware: Command, dirOf: () => string): void {
  const controller = hardware
    .command('controller')
    .description('how machines are reached when their own system is not');
  controller
    .command('set')
    .argument('<node>')
    .option('--host <address>', 'of its management controller')
    .option('--port <port>', 'its port', number(1, 65_535), 623)
    .option('--user <name>')
    .option('--password-file <file>', 'where its password is; it is kept sealed')
    .option(
      '--cipher-suite <number>',
      'when controller and ipmitool do not agree by themselves',
      number(0, 255),
    )
    .option('--mac <address>', 'the interface that wakes the machine')
    .option('--broadcast <address>', 'where packets that wake are sent', '255.255.255.255')
    .option('--json', 'print JSON')
    .description('say how a machine is reached out of band')
    .addHelpText(
      'after',
      '\nExample:\n  hardware controller set node-1 --host 10.9.0.1 --user keeper --password-file ./p --mac 52:54:00:12:34:56',
    )
    .action(async (node: string, flags: Reach) => {
      const { host, port, user, passwordFile, cipherSuite, mac, broadcast, json } = flags;
      const password =
        passwordFile === undefined ? '' : orExit(readSecretFile(passwordFile), json).toString();
      const reached = {
        host,
        port,
        user,
        password: password.trim(),
        ...(cipherSuite === undefined ? {} : { cipherSuite }),
      };
      const body = {
        ...(host === undefined ? {} : { controller: reached }),
        ...(mac === undefined ? {} : { wake: { mac: mac.toLowerCase(), broadcast } }),
      };
      const client = orExit(clientFor(dirOf()), json);
      const answer = orExit(await client.call('PUT', nodePath(node, 'controller'), body), json);
      console.log(json ? JSON.stringify(answer) : `${node} is reached out of band`);
    });
  for (const [verb, method, about] of [
    ['show', 'GET', 'how a machine is reached; never the password'],
    ['forget', 'DELETE', 'forget how a machine is reached'],
  ] as const)
    controller
      .command(verb)
      .argument('<node>')
      .option('--json', 'print JSON')
      .description(about)
      .action(async (node: string, flags: Json) => {
        const client = orExit(clientFor(dirOf()), flags.json);
        const answer = orExit(await client.call(method, nodePath(node, 'controller')), flags.json);
        console.log(flags.json ? JSON.stringify(answer) : JSON.stringify(answer, null, 2));
      });
}
