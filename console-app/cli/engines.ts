import type { Command } from 'commander';
import { lastText } from '../engines/last.js';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { limits } from '../../protocol/limits.js';
import { refuse, type Result } from '../../protocol/result.js';
import { folderCommands } from './folders.js';
import { listOf, nodesIn, printOutcomes, troubleText, type Json, type OnNode } from './outcomes.js';
import { scaleCommand } from './scale.js';
import { secretCommands } from './secrets.js';
import { sendTo } from '../images/send.js';
import { imageOf } from '../images/build.js';
import { readDescription, type Description } from '../images/description.js';

interface Roll {
  readonly id: string;
  readonly state: 'rolling' | 'done' | 'returned' | 'stuck';
  readonly steps: readonly {
    readonly node: string;
    readonly state: string;
    readonly trouble?: OnNode['trouble'];
  }[];
}

function word(value: unknown, absent: string): string {
  return typeof value === 'string' ? value : absent;
}

function row(node: string, engine: Readonly<Record<string, unknown>>): string[] {
  const usage = engine['usage'] as { memory_bytes?: number; memory_limit_bytes?: number } | undefined;
  const mib = (bytes = 0): number => Math.round(bytes / 1024 / 1024);
  const memory =
    usage?.memory_bytes === undefined
      ? ''
      : `${mib(usage.memory_bytes)} of ${mib(usage.memory_limit_bytes)} MiB`;
  return [
    node,
    word(engine['name'], '(locked)'),
    String(engine['state']),
    word(engine['health'], ''),
    String(engine['revision']),
    String(engine['restarts']),
    memory,
    lastText(engine),
  ];
}

/** The tenant's software on one or many nodes. */
export function engineCommands(program: Command, dirOf: () => string): Command {
  const engines = program
    .command('engines')
    .description('software on one or many nodes; a target is a node or group:NAME');
  const client = (flags: Json): ApiClient => orExit(clientFor(dirOf()), flags.json);

  engines
    .command('list')
    .argument('[targets...]', 'nodes, or group:NAME; absent, all')
    .option('--json', 'print JSON')
    .description('what runs, as the nodes say it now')
    .action(async (targets: readonly string[], flags: Json) => {
      const query = targets.length === 0 ? '' : `?targets=${listOf(targets)}`;
      const answer = orExit(await client(flags).call('GET', `/api/v1/engines${query}`), flags.json);
      const nodes = nodesIn(answer);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = nodes.flatMap(({ node, value, trouble }) =>
        trouble
          ? [[node, '', 'unknown', '', '', '', '', troubleText(trouble)]]
          : ((value?.['engines'] ?? []) as readonly Readonly<Record<string, unknown>>[]).map((one) =>
              row(node, one),
            ),
      );
      const head = ['NODE', 'ENGINE', 'STATE', 'HEALTH', 'REVISION', 'RESTARTS', 'MEMORY', 'LAST'];
      console.log(rows.length === 0 ? 'no engines' : table(head, rows));
    });
  engines
    .command('show')
    .argument('<engine>')
    .argument('<node>')
    .option('--json', 'print JSON')
    .description('one engine with its settings')
    .action(async (engine: string, node: string, flags: Json) => {
      const path = `/api/v1/engines/${encodeURIComponent(engine)}?targets=${listOf([node])}`;
      const answer = orExit(await client(flags).call('GET', path), flags.json);
      const [only] = nodesIn(answer);
      console.log(JSON.stringify(only?.value ?? only?.trouble, null, flags.json ? 0 : 2));
    });
  engines
    .command('images')
    .argument('<targets...>')
    .option('--json', 'print JSON')
    .description('the images that are stored there')
    .action(async (targets: readonly string[], flags: Json) => {
      const answer = orExit(
        await client(flags).call('GET', `/api/v1/images?targets=${listOf(targets)}`),
        flags.json,
      );
      const nodes = nodesIn(answer);
      if (flags.json) return console.log(JSON.stringify(answer));
      const rows = nodes.flatMap(({ node, value, trouble }) =>
        trouble
          ? [[node, 'unknown', troubleText(trouble), '']]
          : ((value?.['images'] ?? []) as readonly { digest: string; bytes: number; used: boolean }[]).map(
              ({ digest, bytes, used }) => [node, digest, String(bytes), used ? 'used' : ''],
            ),
      );
      console.log(rows.length === 0 ? 'no images' : table(['NODE', 'IMAGE', 'BYTES', ''], rows));
    });
  deployCommand(engines, client);
  scaleCommand(engines, client);
  for (const [act, about, done] of [
    ['start', 'start it, and keep it running', 'started'],
    ['stop', 'end it; it is given its time', 'told to end'],
    ['kill', 'end it at once', 'killed'],
    ['restart', 'end it and start it with the settings that stand now', 'told to start again'],
    ['reload', 'like restart, and what it wrote beside its mounts is destroyed', 'told to start afresh'],
    ['pause', 'freeze it where it is', 'paused'],
    ['resume', 'let it go on', 'goes on'],
  ] as const) {
    const command = engines.command(act).argument('<engine>').argument('<targets...>');
    if (act === 'stop' || act === 'restart' || act === 'reload')
      command.option('--grace <seconds>', 'how long it is given', number(0, limits.engine_grace_s_max));
    command
      .option('--json', 'print JSON')
      .description(about)
      .action(async (engine: string, targets: readonly string[], flags: Json & { grace?: number }) => {
        const body = { targets, ...(flags.grace === undefined ? {} : { grace_s: flags.grace }) };
        const path = `/api/v1/engines/${encodeURIComponent(engine)}/${act}`;
        printOutcomes(orExit(await client(flags).call('POST', path, body), flags.json), flags, done);
      });
  }
  engines
    .command('remove')
    .argument('<engine>')
    .argument('<targets...>')
    .option('--confirm <engine>', 'its name once more: what it wrote and its logs are destroyed')
    .option('--json', 'print JSON')
    .description('end an engine and destroy what it wrote, its logs and its settings')
    .action(async (engine: string, targets: readonly string[], flags: Json & { confirm?: string }) => {
      if (flags.confirm !== engine)
        orExit(
          refuse(
            'confirm-by-name',
            `this destroys what ${engine} wrote on ${targets.join(' ')}: --confirm ${engine}`,
          ),
          flags.json,
        );
      const path = `/api/v1/engines/${encodeURIComponent(engine)}?targets=${listOf(targets)}`;
      printOutcomes(orExit(await client(flags).call('DELETE', path), flags.json), flags, 'removed');
    });
  logsCommand(engines, client);
  folderCommands(engines, client);
  askCommand(engines, client);
  secretCommands(engines, dirOf);
  return engines;
}

interface DeployFlags extends Json {
  readonly atOnce: number;
  readonly well: number;
  readonly bound: number;
}

function deployCommand(engines: Command, client: (flags: Json) => ApiClient): void {
  engines
    .command('deploy')
    .argument('<file>', 'the description of an engine, see docs/engines.md')
    .argument('<targets...>', 'nodes, or group:NAME')
    .option('--at-once <nodes>', 'how many nodes at a time', number(1, limits.group_nodes_max), 1)
    .option(
      '--well <seconds>',
      'how long it must run well before the next nodes are taken',
      number(0, 3600),
      5,
    )
    .option('--bound <seconds>', 'how long that may take', number(1, 3600), 120)
    .option('--json', 'print JSON')
    .description(
      'bring the image to the nodes and update the engine in a rolling way; what is not well goes back',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  engines deploy web.json node-1\n  engines deploy web.json group:web --at-once 4 --well 10',
    )
    .action(async (file: string, targets: readonly string[], flags: DeployFlags) => {
      const api = client(flags);
      const description = orExit(readDescription(file), flags.json);
      const digest = await bring(api, description, targets, flags);
      const settings = orExit(description.settingsFor(digest), flags.json);
      const { atOnce, well: well_s, bound: bound_s } = flags;
      const body = { targets, engine: description.name, settings, atOnce, well_s, bound_s };
      const begun = orExit(await api.call('POST', '/api/v1/rolls', body), flags.json) as unknown as Roll;
      const roll = await watchRoll(api, begun, flags);
      if (flags.json) console.log(JSON.stringify(roll));
      else console.log(`${description.name}: ${rollWords[roll.state]}`);
      if (roll.state !== 'done') process.exitCode = 1;
    });
}

const rollWords: Readonly<Record<Roll['state'], string>> = {
  rolling: 'still rolling',
  done: 'runs well on all of them',
  returned: 'went back to what stood before on every node that was touched',
  stuck: 'could not go back everywhere: look at the nodes above',
};

/** Every node must have the image before any node is changed. */
async function bring(
  api: ApiClient,
  description: Description,
  targets: readonly string[],
  flags: Json,
): Promise<string> {
  const archive = orExit(await imageOf(description), flags.json);
  if (archive === undefined) return '';
  const sent = await sendTo(api, archive, targets);
  archive.remove();
  const digest = orExit(sent, flags.json);
  if (!flags.json) console.error(`image ${digest.digest} is on ${digest.nodes} nodes`);
  return digest.digest;
}

async function watchRoll(api: ApiClient, begun: Roll, flags: Json): Promise<Roll> {
  const told = new Map<string, string>();
  for (let roll = begun; ;) {
    for (const { node, state, trouble } of roll.steps) {
      if (told.get(node) === state || state === 'waiting') continue;
      told.set(node, state);
      if (!flags.json) console.error(`${node}: ${state}${trouble ? `: ${troubleText(trouble)}` : ''}`);
    }
    if (roll.state !== 'rolling') return roll;
    await new Promise((resolve) => setTimeout(resolve, limits.roll_look_ms));
    roll = orExit(await api.call('GET', `/api/v1/rolls/${begun.id}`), flags.json) as unknown as Roll;
  }
}

function askCommand(engines: Command, client: (flags: Json) => ApiClient): void {
  engines
    .command('ask')
    .argument('<engine>')
    .argument('<node>')
    .argument('<of>', 'the name that a thread or process in it gave over the engine’s own socket')
    .argument('<text>', 'the question')
    .option('--json', 'print JSON')
    .description('ask a thread or process of a running engine, and print what it answers')
    .addHelpText(
      'after',
      '\nExample:\n  engines ask web node-1 worker-1 "how long is your queue"\n\nExit codes: 0 answered, 1 nobody there answered in time.',
    )
    .action(async (engine: string, node: string, of: string, text: string, flags: Json) => {
      const path = `/api/v1/engines/${encodeURIComponent(engine)}/questions`;
      const answer = orExit(await client(flags).call('POST', path, { node, of, text }), flags.json);
      console.log(flags.json ? JSON.stringify(answer) : String(answer['text']));
    });
}

interface LogFlags extends Json {
  readonly follow?: boolean;
  readonly since?: string;
}

function logsCommand(engines: Command, client: (flags: Json) => ApiClient): void {
  engines
    .command('logs')
    .argument('<engine>')
    .argument('<targets...>')
    .option('-f, --follow', 'and what comes')
    .option('--since <time>', 'since a moment: 2027-01-31T12:00:00Z, or 10m, 2h, 1d ago')
    .option('--json', 'print one JSON object a line')
    .description('what an engine wrote; of several nodes each line with the name of its node')
    .action(async (engine: string, targets: readonly string[], flags: LogFlags) => {
      const since =
        flags.since === undefined ? undefined : orExit(sinceFrom(flags.since, Date.now()), flags.json);
      const more = `${flags.follow ? '&follow=yes' : ''}${since === undefined ? '' : `&since_ms=${since}`}`;
      const path = `/api/v1/engines/${encodeURIComponent(engine)}/logs?targets=${listOf(targets)}${more}`;
      const single = targets.length === 1 && !targets[0]?.startsWith('group:');
      for await (const event of client(flags).events(path)) {
        const { node, text, trouble } = orExit(event, flags.json) as unknown as OnNode & { text?: string };
        if (trouble) {
          process.exitCode = 1;
          console.error(`${node}: ${troubleText(trouble)}`);
        } else if (flags.json) console.log(JSON.stringify({ node, text }));
        else console.log(single ? shown(text) : `${node}  ${shown(text)}`);
      }
    });
}

/** Each line carries its moment, its stream and whether it is whole; a person wants what was written. */
function shown(line = ''): string {
  return /^\S+ (?:stdout|stderr) [FP] (.*)$/.exec(line)?.[1] ?? line;
}

function sinceFrom(text: string, now_ms: number): Result<number> {
  const [, count, unit] = /^([0-9]{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const unit_ms = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 's' | 'm' | 'h' | 'd'];
    return { ok: true, value: now_ms - Number(count) * unit_ms };
  }
  const parsed = /^[0-9]{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(parsed)
    ? refuse('bad-input', 'a moment such as 2027-01-31T12:00:00Z, or 10m, 2h, 1d', { where: '--since' })
    : { ok: true, value: parsed };
}
