// npm run fleet -- --nodes 10000 --heartbeat 5s --fail silence:10%@30s-60s: a fleet of simulated nodes that speak the real protocol to a console-cluster.
import { parseArgs } from 'node:util';
import { FleetConsole } from './fleet/console.js';
import { duration_ms, failureKinds, parseFailure } from './fleet/failures.js';
import { Fleet } from './fleet/fleet.js';
import { processorTime_s, resident_mb } from './run/processor.js';
import { limits } from '../protocol/limits.js';

const help = `npm run fleet -- [options]

Runs simulated nodes, each at an address of its own on the loopback, and gives them to a console-cluster. They speak the real
protocol; behind it is no machine. Ctrl-C ends it; a console that was started for it is removed.

  --nodes N             how many (100); at most ${limits.nodes_max}
  --heartbeat DURATION  how often each says that it lives (5s)
  --console DIR         the directory of a console-cluster that runs on this machine; its nodes stay there when the fleet ends.
                        Without it, a console is made and started for the fleet, and removed with it
  --late, --unknown D   for that console: nothing heard for so long is silent (12s), unknown (30s)
  --for DURATION        end after this time; without it, at Ctrl-C
  --json                print one line of JSON every few seconds
  --fail WHAT           what goes wrong, repeatable: KIND[:HOW-MANY[%]][:DURATION][@FROM[-UNTIL]]
${Object.entries(failureKinds)
  .map(([kind, about]) => `                          ${kind.padEnd(8)} ${about}`)
  .join('\n')}

Examples:
  npm run fleet -- --nodes 500 --fail silence:10%@20s-60s
  npm run fleet -- --nodes 10000 --fail away:100%@60s-90s --for 3m
  npm run fleet -- --nodes 50 --console ./console --fail lie:1 --fail late:5%:8s
Exit codes: 0 it ran to its end, 1 it could not, 2 it was called wrongly.`;

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    heartbeat: { type: 'string', default: '5s' },
    console: { type: 'string' },
    late: { type: 'string', default: '12s' },
    unknown: { type: 'string', default: '30s' },
    for: { type: 'string' },
    fail: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function wrong(why: string): never {
  console.error(`${why}\n(add --help for the options)`);
  process.exit(2);
}

if (values.help) {
  console.log(help);
  process.exit(0);
}
const count = Number(values.nodes);
if (!/^[0-9]+$/.test(values.nodes) || count < 1 || count > limits.nodes_max)
  wrong(`--nodes is a whole number from 1 to ${limits.nodes_max}.`);
const read_ms = (name: string, text: string): number =>
  duration_ms(text) ?? wrong(`${name} is a duration such as 500ms, 5s or 2m.`);
const heartbeat_ms = read_ms('--heartbeat', values.heartbeat);
if (heartbeat_ms < 100) wrong('--heartbeat is 100ms at least.');
const times = { late_ms: read_ms('--late', values.late), unknown_ms: read_ms('--unknown', values.unknown) };
const until_ms = values.for === undefined ? Infinity : read_ms('--for', values.for);
const failures = values.fail.map(
  (text) =>
    parseFailure(text, count) ?? wrong(`--fail ${text}: KIND[:HOW-MANY[%]][:DURATION][@FROM[-UNTIL]].`),
);

const said = (words: string): void => {
  if (!values.json) console.log(words);
};
const keeper = values.console === undefined ? FleetConsole.make(times) : FleetConsole.at(values.console);
if (values.console === undefined) await keeper.start();
said(`making ${count} nodes`);
const fleet = await Fleet.make({ nodes: count, heartbeat_ms, landlord: keeper.key });
await fleet.listen();
let ending = false;
const end = async (code: number): Promise<never> => {
  ending = true;
  await keeper.remove();
  await fleet.close();
  process.exit(code);
};
process.once('SIGINT', () => void end(0));
process.once('SIGTERM', () => void end(0));
try {
  await keeper.add(
    fleet.nodes.map((node) => fleet.card(node)),
    (added) => {
      if (added % 1000 === 0) said(`${added} of ${count} added`);
    },
  );
} catch (error) {
  console.error(String(error));
  await end(1);
}
if (values.console === undefined)
  said(`the console is in ${keeper.dir}: console-cluster --dir ${keeper.dir} nodes list`);

const started = performance.now();
for (const failure of failures) {
  setTimeout(() => {
    fleet.begin(failure);
    said(`begins: ${failure.kind}`);
  }, failure.from_ms);
  if (failure.until_ms !== Infinity)
    setTimeout(() => {
      fleet.end(failure);
      said(`ends: ${failure.kind}`);
    }, failure.until_ms);
}
let before = { at: started, beats: fleet.beats, own_s: 0, console_s: 0 };
setInterval(() => {
  if (ending) return;
  void keeper
    .states()
    .then((states) => {
      const now = performance.now();
      const { user, system } = process.cpuUsage();
      const own_s = (user + system) / 1e6;
      const console_s = keeper.pid === undefined ? 0 : processorTime_s(keeper.pid);
      const seconds = (now - before.at) / 1000;
      const line = {
        at_s: Math.round((now - started) / 1000),
        states,
        connections: fleet.connections,
        beats_per_s: Math.round((fleet.beats - before.beats) / seconds),
        fleetProcessor_percent: Math.round(((own_s - before.own_s) / seconds) * 100),
        ...(keeper.pid === undefined
          ? {}
          : {
              consoleProcessor_percent: Math.round(((console_s - before.console_s) / seconds) * 100),
              consoleMemory_mb: Math.round(resident_mb(keeper.pid)),
            }),
      };
      before = { at: now, beats: fleet.beats, own_s, console_s };
      if (values.json) console.log(JSON.stringify(line));
      else
        console.log(
          `${String(line.at_s).padStart(5)} s  ${Object.entries(states)
            .filter(([, many]) => many > 0)
            .map(([state, many]) => `${many} ${state}`)
            .join(
              ', ',
            )}; ${line.connections} connections; processor: fleet ${line.fleetProcessor_percent} %` +
            (keeper.pid === undefined
              ? ''
              : `, console ${line.consoleProcessor_percent} %, ${line.consoleMemory_mb} MB`),
        );
    })
    .catch((error: unknown) => {
      if (!ending) console.error(String(error));
    });
}, 5000);
if (until_ms !== Infinity) setTimeout(() => void end(0), until_ms);
