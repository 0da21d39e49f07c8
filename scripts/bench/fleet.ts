import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { FleetConsole, must } from '../fleet/console.js';
import type { Order } from '../fleet/worker.js';
import { processorTime_s, resident_mb } from '../run/processor.js';
import { root } from '../run/root.js';
import { pause } from './parts/bench-node.js';
import type { BenchSuite, Measurement } from './suite.js';

const heartbeat_ms = 5000;
/** How often it is looked at: what a look costs the console is a part of what is measured. */
const look_ms = 250;
/** So short that who is lost is shown within ten seconds, and long enough that one heartbeat may be late. */
const times = { late_ms: 7000, unknown_ms: 9000 };

function part(file: string): ChildProcess {
  return fork(join(root, 'dist/scripts/fleet', file), { execArgv: ['--enable-source-maps'] });
}

async function tell(worker: ChildProcess, order: Order): Promise<void> {
  const answered = once(worker, 'message') as Promise<[string]>;
  worker.send(order);
  const [answer] = await answered;
  if (answer !== 'done') throw new Error(`${order.do}: ${answer}`);
}

const pidOf = (child: ChildProcess): number => child.pid ?? 0;

/** Which part of one processor each of them takes, over some windows. */
async function shares(pids: readonly number[], windows: number, window_s: number): Promise<number[][]> {
  const taken: number[][] = pids.map(() => []);
  for (let at = 0; at < windows; at += 1) {
    const before = pids.map(processorTime_s);
    const started = performance.now();
    await pause(window_s * 1000);
    const seconds = (performance.now() - started) / 1000;
    for (const [index, pid] of pids.entries())
      taken[index]?.push(((processorTime_s(pid) - (before[index] ?? 0)) / seconds) * 100);
  }
  return taken;
}

async function untilStates(
  keeper: FleetConsole,
  holds: (states: Readonly<Record<string, number>>) => boolean,
  bound_s = 180,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    const states = await keeper.states();
    const elapsed_ms = performance.now() - started;
    if (holds(states)) return elapsed_ms;
    if (elapsed_ms > bound_s * 1000) throw new Error(`after ${bound_s} s: ${JSON.stringify(states)}`);
    await pause(look_ms);
  }
}

/** To the last byte of the answer, which is not read further. */
function callTime_ms(keeper: FleetConsole, path: string): Promise<number> {
  const token = readFileSync(join(keeper.dir, 'token'), 'utf8').trim();
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, keeper.client.url), { headers: { authorization: `Bearer ${token}` } });
    sent.once('error', reject);
    sent.once('response', (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${path}: ${answer.statusCode}`));
      answer.resume();
      answer.once('end', () => resolve(performance.now() - started));
    });
    sent.end();
  });
}

const lists = {
  'a page of 100 of those that are good, the last seen first':
    '/api/v1/nodes?state=good&sort=lastSeen&order=down&limit=100&view=brief',
  'a page of those with a 7 in their name, by place': '/api/v1/nodes?name=7&sort=place&limit=100&view=brief',
  'all of them, in brief': '/api/v1/nodes?view=brief',
};

/** One exception comes and goes: each time every node of the cluster gets another boundary. */
async function boundaryChanges(
  keeper: FleetConsole,
  pids: readonly number[],
  nodes: number,
  rounds: number,
): Promise<{ readonly took: number[]; readonly spent: readonly number[][] }> {
  const members = Array.from({ length: nodes }, (_, index) => `fleet-${String(index).padStart(5, '0')}`);
  must(await keeper.client.call('PUT', '/api/v1/clusters/big', { members }));
  const took: number[] = [];
  const spent: number[][] = pids.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    await pause(1000);
    const body = {
      from: { kind: 'cluster', name: 'big' },
      to: { kind: 'outside', peers: [`192.0.2.${round + 1}`] },
      service: 'https',
      reason: 'a figure',
    };
    const before = pids.map(processorTime_s);
    const started = performance.now();
    const changed = must(await keeper.client.call('POST', '/api/v1/exceptions', body));
    took.push(performance.now() - started);
    for (const [index, pid] of pids.entries())
      spent[index]?.push((processorTime_s(pid) - (before[index] ?? 0)) * 1000);
    const all = changed['taken'] as readonly unknown[];
    if (all.length !== nodes) throw new Error(`${all.length} of ${nodes} have it`);
  }
  return { took, spent };
}

async function bare(
  worker: ChildProcess,
  connections: number,
  windows: number,
  window_s: number,
): Promise<number[]> {
  const server = part('bare-server.js');
  try {
    const [port] = (await once(server, 'message')) as [number];
    await tell(worker, { do: 'send', url: `wss://127.0.0.1:${port}`, connections, heartbeat_ms });
    await pause(5000);
    const [share = []] = await shares([pidOf(server)], windows, window_s);
    return share;
  } finally {
    server.kill('SIGKILL');
  }
}

/**
 * A console and a whole fleet on the same processors: each in a process of its own, so that it is said which share is whose.
 */
export const suite: BenchSuite = {
  name: 'fleet',
  about: 'console-cluster with a simulated fleet, on the same two processors; heartbeats every 5 s',
  async run({ quick }) {
    const nodes = quick ? 500 : 10_000;
    const [windows, window_s] = quick ? [2, 5] : [4, 10];
    const keeper = FleetConsole.make(times);
    let worker = part('worker.js');
    const rows: Measurement[] = [];
    try {
      await keeper.start();
      const pid = keeper.pid ?? 0;
      const started = performance.now();
      await tell(worker, { do: 'start', dir: keeper.dir, nodes, heartbeat_ms });
      await untilStates(keeper, ({ good }) => good === nodes);
      rows.push({
        name: `${nodes} added one by one and good`,
        unit: 'ms',
        values: [performance.now() - started],
      });
      await pause(10_000);
      const [console = [], fleet = []] = await shares([pid, pidOf(worker)], windows, window_s);
      const memory = resident_mb(pid);
      for (const [name, path] of Object.entries(lists)) {
        const values: number[] = [];
        for (let round = 0; round < 12; round += 1) {
          const took = await callTime_ms(keeper, path);
          if (round >= 2) values.push(took);
        }
        rows.push({ name, unit: 'ms', values, wanted: { of: 'median', at: 'most', value: 50 } });
      }
      const many = Math.min(1000, nodes);
      const changes = await boundaryChanges(keeper, [pid, pidOf(worker)], many, quick ? 2 : 5);
      const [ofConsole = [], ofFleet = []] = changes.spent;
      const beforeLoss = processorTime_s(pid);
      await tell(worker, { do: 'begin', failure: 'away' });
      const lost = await untilStates(
        keeper,
        ({ unknown = 0, connecting = 0 }) => unknown + connecting === nodes,
      );
      const betweenLosses = processorTime_s(pid);
      await tell(worker, { do: 'end', failure: 'away' });
      const back = await untilStates(keeper, ({ good }) => good === nodes);
      const afterLoss = processorTime_s(pid);
      const memoryAfter = resident_mb(pid);
      await tell(worker, { do: 'stop' });
      await keeper.remove();
      worker.kill('SIGKILL');
      worker = part('worker.js');
      const counting = await bare(worker, nodes, windows, window_s);
      const compared = 'a bare ws server that counts the frames: share of one processor';
      return [
        { name: compared, unit: 'percent', values: counting },
        {
          name: 'the console: share of one processor',
          unit: 'percent',
          values: console,
          baseline: compared,
          wanted: { of: 'ratio', at: 'most', value: 2 },
        },
        { name: 'the fleet beside it: share of one processor', unit: 'percent', values: fleet },
        {
          name: 'the console: memory',
          unit: 'MB',
          values: [memory],
          wanted: { of: 'median', at: 'most', value: 1024 },
        },
        { name: 'the console: memory after all were lost and came back', unit: 'MB', values: [memoryAfter] },
        {
          name: 'all lost at once: none shown as known any more',
          unit: 'ms',
          values: [lost],
          wanted: { of: 'median', at: 'most', value: 10_000 },
        },
        {
          name: 'all back at once: all good again',
          unit: 'ms',
          values: [back],
          wanted: { of: 'median', at: 'most', value: 60_000 },
        },
        {
          name: 'processor time of the console for that',
          unit: 'ms',
          values: [(afterLoss - betweenLosses) * 1000],
        },
        {
          name: 'processor time of the console while all are away',
          unit: 'ms',
          values: [(betweenLosses - beforeLoss) * 1000],
        },
        {
          name: `another boundary for a cluster of ${many}, to the last confirmation`,
          unit: 'ms',
          values: changes.took,
          wanted: { of: 'median', at: 'most', value: 2000 },
        },
        { name: 'processor time of the console for that boundary', unit: 'ms', values: ofConsole },
        { name: 'processor time of the fleet for that boundary', unit: 'ms', values: ofFleet },
        ...rows,
      ];
    } finally {
      worker.kill('SIGKILL');
      await keeper.remove();
    }
  },
};
