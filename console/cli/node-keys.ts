import type { Command } from 'commander';
import { clientFor, type ApiClient } from './client.js';
import { orExit, table } from './output.js';
import type { Refusal, Result } from '../../protocol/result.js';

interface Json {
  readonly json?: boolean;
}

interface KeyLine {
  readonly level: number;
  readonly lease: string;
  readonly symmetric?: string;
  readonly shared?: boolean;
  readonly open?: boolean;
}

interface KeysRead {
  readonly pair: { readonly id: string };
  readonly locked: boolean;
  readonly shareKept: boolean;
  readonly keys: readonly KeyLine[];
  readonly consents: readonly { readonly to: string; readonly act: string }[];
}

const pathOf = (node: string, act = ''): string => `/api/v1/nodes/${encodeURIComponent(node)}/keys${act}`;

/** The keys of this level on a node. What a command would destroy is shown, and it acts only when that is named. */
export function nodeKeyCommands(keys: Command, dirOf: () => string): void {
  const clientOf = (json?: boolean): ApiClient => orExit(clientFor(dirOf()), json);
  const ask = async (node: string, act: string, flags: Json, done: string, body?: object): Promise<void> => {
    const answer = orExit(await clientOf(flags.json).call('POST', pathOf(node, act), body), flags.json);
    console.log(flags.json ? JSON.stringify(answer) : `${node}: ${done}`);
  };
  keys
    .command('show')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('the names of the keys over this level’s data, and which are open')
    .addHelpText('after', '\nExample:\n  keys show node-1')
    .action(async (node: string, flags: Json) => {
      const read = orExit(await clientOf(flags.json).call('GET', pathOf(node)), flags.json);
      console.log(flags.json ? JSON.stringify(read) : shown(node, read as unknown as KeysRead));
    });
  keys
    .command('make')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('make the K of this level, where there is none; nothing is destroyed')
    .addHelpText('after', '\nExample:\n  keys make node-1')
    .action((node: string, flags: Json) => ask(node, '/make', flags, 'this level has a K of its own now'));
  keys
    .command('share')
    .argument('<node>')
    .option('--off', 'the K opens by itself again')
    .option('--json', 'print JSON')
    .description('from its next start on, the node opens this level’s K only with a share from this console')
    .addHelpText(
      'after',
      '\nExamples:\n  keys share node-1\n  keys share node-1 --off\n\nThe share is in this console alone. Back the console up: without the share the data is gone.',
    )
    .action((node: string, flags: Json & { off?: boolean }) =>
      ask(
        node,
        '/share',
        flags,
        flags.off ? 'no share is needed any more' : 'needs the share of this console after each start',
        { share: flags.off ? 'none' : 'new' },
      ),
    );
  keys
    .command('unlock')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('send the share after a start of the node')
    .addHelpText('after', '\nExample:\n  keys unlock node-1')
    .action((node: string, flags: Json) => ask(node, '/unlock', flags, 'the K of this level is open'));
  keys
    .command('jobs')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('how far a re-encryption is, and how earlier ones ended')
    .addHelpText('after', '\nExample:\n  keys jobs node-1')
    .action(async (node: string, flags: Json) => {
      const read = orExit(await clientOf(flags.json).call('GET', pathOf(node, '/jobs')), flags.json);
      console.log(flags.json ? JSON.stringify(read) : shownJobs(read['jobs'] as readonly JobLine[]));
    });
  keys
    .command('cancel')
    .argument('<node>')
    .argument('<job>')
    .option('--json', 'print JSON')
    .description('break off a re-encryption: the data stays under the key it had, and nothing is lost')
    .addHelpText('after', '\nExample:\n  keys cancel node-1 3q2-796tvu_erb7v3q2-7w')
    .action((node: string, job: string, flags: Json) =>
      ask(node, '/cancel', flags, 'broken off: the data stays under the key it had', { job }),
    );
  keys
    .command('consent')
    .argument('<node>')
    .requiredOption('--to <lease>', 'the lease of the level above that may')
    .option('--transfer <holder>', 'to hand the node to the holder of this key, instead of to rotate')
    .option('--json', 'print JSON')
    .description('let a level above replace a key over this level’s data, once, and keep the data')
    .addHelpText('after', '\nExample:\n  keys consent node-1 --to 3q2-796tvu_erb7v3q2-7w')
    .action((node: string, flags: Json & { to: string; transfer?: string }) =>
      ask(node, '/consent', flags, 'consented, once', {
        to: flags.to,
        ...(flags.transfer === undefined ? { act: 'rotate' } : { act: 'transfer', holder: flags.transfer }),
      }),
    );
  rotateCommand(keys, clientOf);
}

interface RotateFlags extends Json {
  readonly key?: boolean;
  readonly data: string;
  readonly destroy: readonly string[];
}

function rotateCommand(keys: Command, clientOf: (json?: boolean) => ApiClient): void {
  keys
    .command('rotate')
    .argument('<node>')
    .requiredOption('--data <what>', 'what becomes of the data: keep, reencrypt or destroy')
    .option('--key', 'replace the K too')
    .option('--destroy <lease>', 'names what is destroyed (repeatable)', collect, [])
    .option('--json', 'print JSON')
    .description(
      'replace this level’s pair; what that would destroy is shown, and done only when it is named',
    )
    .addHelpText(
      'after',
      `
Examples:
  keys rotate node-1 --data keep
  keys rotate node-1 --key --data reencrypt
  keys rotate node-1 --key --data destroy                                     shows what it would destroy
  keys rotate node-1 --key --data destroy --destroy 3q2-796tvu_erb7v3q2-7w    does it

Exit codes: 0 done, 1 refused, or not named, 2 bad input.`,
    )
    .action(async (node: string, flags: RotateFlags) => {
      const client = clientOf(flags.json);
      const body = {
        key: flags.key === true,
        data: flags.data,
        ...(flags.destroy.length === 0 ? {} : { destroys: flags.destroy }),
      };
      const answer = await client.call('POST', pathOf(node, '/rotate'), body);
      if (!answer.ok && answer.refusal.code === 'destroys-not-named' && !flags.json)
        return showDestroyed(client, node, flags, answer.refusal);
      const done = orExit(answer, flags.json);
      console.log(flags.json ? JSON.stringify(done) : rotated(node, done as unknown as Rotated));
    });
}

/** Exit code 1: nothing was done. The node itself said what it would be. */
async function showDestroyed(
  client: ApiClient,
  node: string,
  flags: RotateFlags,
  refusal: Refusal,
): Promise<void> {
  const leases = (refusal.data?.['destroys'] ?? []) as readonly string[];
  const read: Result<Record<string, unknown>> = await client.call('GET', pathOf(node));
  const own = read.ok ? (read.value as unknown as KeysRead) : undefined;
  const named = leases.map((lease) => `--destroy ${lease}`).join(' ');
  const symmetric = own?.keys.at(-1)?.symmetric;
  console.log(
    [
      `This would destroy, on ${node}, now and for good:`,
      ...(own ? [`  the pair ${own.pair.id}`] : []),
      ...(flags.key && symmetric !== undefined ? [`  the K ${symmetric}`] : []),
      ...leases.map(
        (lease) => `  the key to all data of the lease ${lease}: images, volumes, logs, secrets, history`,
      ),
      leases.length === 0
        ? 'Nothing that --destroy can name: leave it out.'
        : `To do it:  keys rotate ${node}${flags.key ? ' --key' : ''} --data ${flags.data} ${named}`,
    ].join('\n'),
  );
  process.exitCode = 1;
}

interface Rotated {
  readonly pair: { readonly id: string };
  readonly symmetric?: string;
  readonly destroyed: readonly string[];
  readonly job?: string;
}

interface JobLine {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly done: number;
  readonly total: number;
  readonly note: string;
}

function shownJobs(jobs: readonly JobLine[]): string {
  const mine = jobs.filter(({ kind }) => kind === 'keys.reencrypt');
  if (mine.length === 0) return 'nothing was encrypted anew';
  const far = ({ done, total }: JobLine): string =>
    total === 0 ? '' : `${Math.floor((100 * done) / total)} %`;
  return table(
    ['JOB', 'STATE', 'COPIED', 'NOTE'],
    mine.map((job) => [job.id, job.state, far(job), job.note]),
  );
}

function rotated(node: string, { pair, symmetric, destroyed, job }: Rotated): string {
  return [
    `${node}: the new pair is ${pair.id}`,
    ...(symmetric === undefined ? [] : [`  K          ${symmetric}`]),
    ...destroyed.map((lease) => `  destroyed  the data of the lease ${lease}`),
    ...(job === undefined
      ? []
      : [
          `  the data is being encrypted anew by the job ${job}; engines stand still until it has ended`,
          `  see: keys jobs ${node}; break off: keys cancel ${node} ${job}`,
        ]),
  ].join('\n');
}

function shown(node: string, { pair, locked, shareKept, keys, consents }: KeysRead): string {
  return [
    `${node}: the data of this level is ${locked ? 'CLOSED' : 'open'}`,
    `  pair     ${pair.id}`,
    ...keys.map(
      ({ level, lease, symmetric, shared, open }) =>
        `  level ${level}  lease ${lease}  ${symmetric === undefined ? 'no K' : `K ${symmetric} ${open ? 'open' : 'LOCKED'}${shared ? ', needs a share at each start' : ''}`}`,
    ),
    ...(shareKept ? ['  share    kept by this console'] : []),
    ...consents.map(({ to, act }) => `  consent  ${act} by the lease ${to}`),
  ].join('\n');
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
