import type { Command } from 'commander';
import type { ApiClient } from '../../console/cli/client.js';
import { number } from '../../console/cli/options.js';
import { orExit } from '../../console/cli/output.js';
import { limits } from '../../protocol/limits.js';
import { refuse } from '../../protocol/result.js';
import { imageOf } from '../images/build.js';
import { readDescription } from '../images/description.js';
import { sendTo } from '../images/send.js';
import { troubleText, type Json, type OnNode } from './outcomes.js';

interface Choice {
  readonly node: string;
  readonly why: string;
}
interface Plan {
  readonly keep: readonly string[];
  readonly add: readonly Choice[];
  readonly bring: readonly string[];
  readonly image: string;
  readonly take: readonly Choice[];
  readonly passed: readonly Choice[];
}
interface Scaling {
  readonly id: string;
  readonly state: 'scaling' | 'done' | 'short' | 'returned' | 'stuck';
  readonly steps: readonly (OnNode & { readonly act: string; readonly state: string })[];
}

interface Flags extends Json {
  readonly nodes: number;
  readonly of: readonly string[];
  readonly from?: string;
  readonly dryRun?: boolean;
  readonly atOnce: number;
  readonly well: number;
  readonly bound: number;
  readonly grace?: number;
  readonly remove?: boolean;
  readonly confirm?: string;
}

const examples = `
Examples:
  engines scale web --nodes 3 --of group:web --dry-run          which nodes it would take, and why
  engines scale web --nodes 3 --of group:web --from web.json    and bring the image to those that lack it
  engines scale web --nodes 1 --of group:web --grace 60         the others are given a minute to end
  engines scale web --nodes 1 --of group:web --remove --confirm web

Where it is stopped it is started first; then come the nodes that have most memory left for engines. What is taken away
first is what is not well. It stays on its node, stopped, unless --remove is given. A node that does not answer is not
counted: when it comes back and runs the engine too, say the number again.
Exit codes: 0 so many run well, 1 they do not, 2 bad input.`;

export function scaleCommand(engines: Command, client: (flags: Json) => ApiClient): void {
  engines
    .command('scale')
    .argument('<engine>')
    .requiredOption('--nodes <count>', 'on how many nodes it is to run', number(0, limits.group_nodes_max))
    .requiredOption('--of <targets...>', 'the nodes that may be chosen: names, or group:NAME')
    .option('--from <file>', 'its description, so that its image can be brought to nodes that lack it')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--at-once <nodes>', 'how many nodes at a time', number(1, limits.group_nodes_max), 1)
    .option('--well <seconds>', 'how long it must run well before the next node is taken', number(0, 3600), 5)
    .option('--bound <seconds>', 'how long that may take', number(1, 3600), 120)
    .option(
      '--grace <seconds>',
      'how long it is given to end where it is taken away; absent, as it is described',
      number(0, limits.engine_grace_s_max),
    )
    .option('--remove', 'remove it where it is taken away, with what it wrote and its logs')
    .option('--confirm <engine>', 'its name once more, for --remove')
    .option('--json', 'print JSON')
    .description('say on how many nodes an engine runs: the nodes are chosen, shown, and added or taken away')
    .addHelpText('after', examples)
    .action(async (engine: string, flags: Flags) => {
      const api = client(flags);
      const body = { engine, targets: flags.of, nodes: flags.nodes };
      const asked = await api.call('POST', '/api/v1/scalings/plan', {
        ...body,
        bring: flags.from !== undefined,
      });
      const plan = orExit(asked, flags.json) as unknown as Plan;
      if (!flags.json || flags.dryRun) show(engine, plan, flags);
      if (flags.dryRun) return;
      if (flags.remove && plan.take.length > 0 && flags.confirm !== engine)
        orExit(
          refuse(
            'confirm-by-name',
            `this destroys what ${engine} wrote on ${plan.take.map(({ node }) => node).join(' ')}: --confirm ${engine}`,
          ),
          flags.json,
        );
      if (plan.bring.length > 0) await bring(api, engine, plan, flags);
      const nodes = { add: plan.add.map(({ node }) => node), take: plan.take.map(({ node }) => node) };
      const { atOnce, well: well_s, bound: bound_s, remove = false } = flags;
      const how = {
        atOnce,
        well_s,
        bound_s,
        remove,
        ...(flags.grace === undefined ? {} : { grace_s: flags.grace }),
      };
      const begun = orExit(
        await api.call('POST', '/api/v1/scalings', { ...body, ...nodes, ...how }),
        flags.json,
      );
      const ended = await watch(api, begun as unknown as Scaling, flags);
      const well = plan.keep.length + ended.steps.filter(({ state }) => state === 'well').length;
      if (flags.json) console.log(JSON.stringify({ ...ended, plan }));
      else console.log(`${engine}: ${words(ended, well, flags.nodes)}`);
      if (ended.state !== 'done') process.exitCode = 1;
    });
}

function show(engine: string, plan: Plan, flags: Flags): void {
  if (flags.json) return console.log(JSON.stringify(plan));
  const { keep, add, take, passed } = plan;
  const lines = [
    `${engine} runs on ${keep.length + take.length} of these nodes, ${flags.nodes} are wanted`,
    ...add.map(
      ({ node, why }) => `+ ${node}: ${why}${plan.bring.includes(node) ? '; its image is brought' : ''}`,
    ),
    ...take.map(({ node, why }) => `- ${node}: ${why}`),
    ...keep.map((node) => `= ${node}: stays`),
    ...passed.map(({ node, why }) => `? ${node}: ${why}`),
  ];
  // What is only a plan is the answer; beside the deed it is a word in passing.
  for (const line of lines)
    if (flags.dryRun) console.log(line);
    else console.error(line);
}

/** The image must be the one that runs already: a number is no way to bring another version in. */
async function bring(api: ApiClient, engine: string, plan: Plan, flags: Flags): Promise<void> {
  const description = orExit(readDescription(flags.from ?? ''), flags.json);
  if (description.name !== engine)
    orExit(
      refuse('bad-input', `it describes ${description.name}, not ${engine}`, { where: flags.from ?? '' }),
      flags.json,
    );
  const archive = orExit(await imageOf(description), flags.json);
  if (archive === undefined)
    return orExit(
      refuse(
        'no-place',
        `${flags.from} names an image that is on the nodes already, and ${plan.bring.join(' ')} lack it`,
      ),
      flags.json,
    );
  const sent = await sendTo(api, archive, plan.bring);
  archive.remove();
  const { digest, nodes } = orExit(sent, flags.json);
  if (digest !== plan.image)
    orExit(
      refuse('engine-differs', `what runs is ${plan.image}, the description gives ${digest}`),
      flags.json,
    );
  if (!flags.json) console.error(`image ${digest} is on ${nodes} more nodes`);
}

async function watch(api: ApiClient, begun: Scaling, flags: Json): Promise<Scaling> {
  const told = new Map<string, string>();
  for (let scaling = begun; ;) {
    for (const { node, state, trouble } of scaling.steps) {
      if (told.get(node) === state || state === 'waiting') continue;
      told.set(node, state);
      if (!flags.json) console.error(`${node}: ${state}${trouble ? `: ${troubleText(trouble)}` : ''}`);
    }
    if (scaling.state !== 'scaling') return scaling;
    await new Promise((resolve) => setTimeout(resolve, limits.roll_look_ms));
    scaling = orExit(await api.call('GET', `/api/v1/scalings/${begun.id}`), flags.json) as unknown as Scaling;
  }
}

function words({ state }: Scaling, well: number, wanted: number): string {
  switch (state) {
    case 'scaling':
      return 'still going on';
    case 'done':
      return `runs on ${wanted} ${wanted === 1 ? 'node' : 'nodes'}`;
    case 'short':
      return `runs on ${well} nodes, not on ${wanted}: the others did not take it, see above`;
    case 'returned':
      return 'did not run well where it was added, and is gone from there again';
    case 'stuck':
      return 'is not everywhere as it was wanted: look at the nodes above';
  }
}
