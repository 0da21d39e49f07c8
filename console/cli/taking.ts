import { InvalidArgumentError, type Command } from 'commander';
import { clientFor } from './client.js';
import { orExit, say, table } from './output.js';
import { readFileLimited } from '../daemon/files.js';
import { handOverForm, type HandOver } from '../../protocol/hand-over.js';
import { parseJson } from '../../protocol/json.js';
import { refuse, type Result } from '../../protocol/result.js';

interface Flags {
  readonly json?: boolean;
  readonly pin: Readonly<Record<string, string>>;
  readonly name: Readonly<Record<string, string>>;
  readonly identity?: string;
}

function pinOfOnly(handOver: HandOver, identity: string | undefined): Result<Record<string, string>> {
  if (identity === undefined) return { ok: true, value: {} };
  const [only, ...others] = handOver.leases;
  return only && others.length === 0
    ? { ok: true, value: { [only.card.name]: identity } }
    : refuse('bad-input', 'the hand-over has several nodes: use --pin NODE=THUMBPRINT', {
        where: '--identity',
      });
}

interface Line {
  readonly node: string;
  readonly facility: string;
  readonly state: string;
  readonly lease: string;
  readonly until: number;
  readonly rights: readonly string[];
  readonly identity: string;
}

interface Outcome {
  readonly node: string;
  readonly taken: boolean;
  readonly code: string | null;
  readonly detail: string | null;
  readonly means: readonly string[];
}

function pins(value: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, id] = /^([a-z0-9.-]+)=([A-Za-z0-9_-]{43})$/.exec(value) ?? [];
  if (name === undefined || id === undefined) throw new InvalidArgumentError('Write it as NODE=THUMBPRINT.');
  return { ...before, [name]: id };
}

function names(value: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, own] = /^([a-z0-9.-]+)=([a-z0-9.-]+)$/.exec(value) ?? [];
  if (name === undefined || own === undefined) throw new InvalidArgumentError('Write it as NODE=NAME.');
  return { ...before, [name]: own };
}

/** `take` and the list of what was taken, in the group of each console that speaks of leases. */
export function takingCommands(leases: Command, dirOf: () => string, listName: string): void {
  leases
    .command('take')
    .argument('<hand-over>', 'the file that the landlord gave')
    .option('--pin <node=thumbprint>', 'the identity on a node’s label (repeatable)', pins, {})
    .option('--identity <thumbprint>', 'the same, when the hand-over has one node')
    .option(
      '--name <node=name>',
      'what a node is called here, if not as there (repeatable); two facilities may name theirs alike',
      names,
      {},
    )
    .option('--json', 'print JSON')
    .description('check a hand-over and take its leases: new pair, K and roster in one step')
    .addHelpText(
      'after',
      `\nExample:\n  ${leases.name()} take ./hand-over.json --pin node-1=9lT-gnedJuarPf84A4_O1b-POsfMR0885JMIuuOIYE8`,
    )
    .action(async (path: string, flags: Flags) => {
      const content = orExit(parseJson(orExit(readFileLimited(path), flags.json)), flags.json);
      const handOver = orExit(handOverForm(content, ''), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = {
        handOver,
        pins: { ...flags.pin, ...orExit(pinOfOnly(handOver, flags.identity), flags.json) },
        ...(Object.keys(flags.name).length === 0 ? {} : { names: flags.name }),
      };
      const answer = orExit(await client.call('POST', '/api/v1/held-leases', body), flags.json);
      const outcomes = answer['outcomes'] as readonly Outcome[];
      if (flags.json) console.log(JSON.stringify(answer));
      else for (const done of outcomes) console.log(told(done));
      // What was taken before needs nothing: a hand-over names all leases of a customer, also the older ones.
      if (outcomes.some(({ taken, code }) => !taken && code !== 'already-there')) process.exitCode = 1;
    });
  leases
    .command(listName)
    .option('--json', 'print JSON')
    .description('all leases that this console took')
    .action(async (flags: Flags) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/held-leases'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = (answer['leases'] as readonly Line[]).map((line) => [
        line.node,
        line.facility,
        line.state,
        new Date(line.until * 1000).toISOString().slice(0, 10),
        line.identity,
        line.rights.join(' '),
      ]);
      console.log(table(['NODE', 'FACILITY', 'STATE', 'UNTIL', 'IDENTITY', 'RIGHTS'], rows));
    });
  givingBackCommands(leases, dirOf);
}

/** Gives leases back, and shows what nodes signed about them. The group of a landlord's console has an `end` of its own: there it is `give-back`. */
function givingBackCommands(leases: Command, dirOf: () => string): void {
  leases
    .command('give-back')
    .argument('<node>')
    .option('--destroy <lease>', 'names the lease whose keys and data this destroys')
    .option('--json', 'print JSON')
    .description(
      'end a lease that this console holds, before its time; without --destroy, shows what that would destroy',
    )
    .addHelpText(
      'after',
      `
Examples:
  ${leases.name()} give-back node-1                                    shows what it would destroy
  ${leases.name()} give-back node-1 --destroy 3q2-796tvu_erb7v3q2-7w   does it

Exit codes: 0 done, 1 refused, or not named, 2 bad input.`,
    )
    .action(async (node: string, flags: { json?: boolean; destroy?: string }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/held-leases'), flags.json);
      const held = (answer['leases'] as readonly Line[]).find(
        (one) => one.node === node && one.state === 'taken',
      );
      if (!held)
        return void orExit(refuse('lease-unknown', `this console holds no lease of ${node}`), flags.json);
      if (flags.destroy === undefined) {
        say(
          flags,
          { node, destroys: held.lease, done: false },
          [
            `This would give ${node} back now and destroy, on the node and for good:`,
            '  the pair and the K of this level and of every level below it,',
            `  the key to all data of the lease ${held.lease}: images, volumes, logs, secrets, history.`,
            'Engines end with it. What this console keeps of the node, but for its receipts, goes too.',
            `To do it:  ${leases.name()} give-back ${node} --destroy ${held.lease}`,
          ].join('\n'),
        );
        process.exitCode = 1;
        return;
      }
      const path = `/api/v1/held-leases/${encodeURIComponent(node)}/end`;
      const ended = orExit(await client.call('POST', path, { destroys: flags.destroy }), flags.json);
      const next = `its receipt: ${leases.name()} receipts-of ${node}`;
      console.log(
        flags.json ? JSON.stringify(ended) : `${node}: given back, its keys are destroyed; ${next}`,
      );
    });
  leases
    .command('receipts-of')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('what a node signed about the lease held there, one a line, for `bmonitor receipt verify`')
    .addHelpText('after', `\nExample:\n  ${leases.name()} receipts-of node-1 > node-1.receipts`)
    .action(async (node: string, flags: { json?: boolean }) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const path = `/api/v1/held-leases/${encodeURIComponent(node)}/receipts`;
      const answer = orExit(await client.call('GET', path), flags.json);
      say(flags, answer, (answer['receipts'] as readonly string[]).join('\n'));
    });
}

function told({ node, taken, code, detail, means }: Outcome): string {
  if (!taken) {
    const again =
      code === 'unreachable' || code === 'node-silent' ? '; it is asked again until it answers' : '';
    return `${node}: not taken: ${code ?? ''} ${detail ?? ''}${again}`;
  }
  return [`${node}: taken`, ...means.map((line) => `  - ${line}`)].join('\n');
}
