import type { Known } from '../nodes/link.js';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { nodeStates } from '../nodes/state.js';

/** Every figure a console gives to Prometheus. docs/metrics.md is made from this list, and nothing else is given. */
export const metricList = {
  console_nodes: { type: 'gauge', labels: ['state'], help: 'Nodes by what is known of them now.' },
  console_node_questions_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Questions to the nodes of now, by what became of them: right, late, wrong, or none when nothing came.',
  },
  console_ready: {
    type: 'gauge',
    labels: [],
    help: '1 when the store could be read and written just now, else 0: what /readyz says.',
  },
  console_audit_lost_total: {
    type: 'counter',
    labels: [],
    help: 'Lines of the audit that could not be written since the daemon started.',
  },
  console_clock_jumps_total: {
    type: 'counter',
    labels: [],
    help: 'How often the wall clock of the console was set by more than a time service corrects, since the daemon started.',
  },
  console_loop_delay_seconds: {
    type: 'gauge',
    labels: [],
    help: 'How long work of the daemon waited for its turn, at most but for the longest hundredth, since this was last asked.',
  },
  console_boundaries: {
    type: 'gauge',
    labels: ['state'],
    help: 'Nodes in clusters by whether they have the boundary that they should have: in-step, behind, drifted, refused.',
  },
  console_leases: {
    type: 'gauge',
    labels: ['state'],
    help: 'Leases by where they stand; those that wait for a node are granting, ending or replacing.',
  },
  console_gateway_nodes: { type: 'gauge', labels: [], help: 'Nodes that have dialled the gateway.' },
  console_gateway_consoles: {
    type: 'gauge',
    labels: [],
    help: 'Remote consoles that have dialled the gateway.',
  },
  console_gateway_channels: {
    type: 'gauge',
    labels: [],
    help: 'Channels between consoles and nodes through the gateway.',
  },
  console_gateway_waiting: {
    type: 'gauge',
    labels: [],
    help: 'Nodes that knocked at the gateway and are not known.',
  },
  console_api_calls_total: {
    type: 'counter',
    labels: ['method', 'path', 'code'],
    help: 'Calls of the API by route and error code; code is ok for those that were done.',
  },
  process_resident_memory_bytes: { type: 'gauge', labels: [], help: 'Memory of the daemon.' },
  process_cpu_seconds_total: {
    type: 'counter',
    labels: [],
    help: 'Processor time of the daemon, user and system.',
  },
  process_start_time_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the daemon started, in seconds since 1970.',
  },
} as const satisfies Record<string, Metric>;

interface Metric {
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  readonly help: string;
}
export type MetricName = keyof typeof metricList;

export interface Sample {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function sample(
  name: MetricName,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): Sample {
  return { name, value, labels };
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** The text format of Prometheus, version 0.0.4. A metric without a sample is left out: what is not known is not zero. */
export function metricsText(samples: readonly Sample[]): string {
  const lines: string[] = [];
  for (const [name, { type, help }] of Object.entries(metricList)) {
    const mine = samples.filter((one) => one.name === name);
    if (mine.length === 0) continue;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of mine) {
      const inner = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
      lines.push(`${name}${inner.length === 0 ? '' : `{${inner.join(',')}}`} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** How often each state stands in a list, also where it is zero, so that a graph has no holes. */
export function countStates(name: MetricName, states: readonly string[], found: readonly string[]): Sample[] {
  const counts = new Map<string, number>(states.map((state) => [state, 0]));
  for (const state of found) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => sample(name, count, { state }));
}

export function nodeSamples(found: readonly Pick<Known, 'state' | 'questions'>[]): Sample[] {
  const outcomes = (['right', 'late', 'wrong', 'none'] as const).map((outcome) => {
    const count = found.reduce((sum, { questions }) => sum + questions[outcome], 0);
    return sample('console_node_questions_total', count, { outcome });
  });
  const states = found.map(({ state }) => state);
  return [...countStates('console_nodes', nodeStates, states), ...outcomes];
}

/** How long the event loop keeps its work waiting. */
export class LoopDelay {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });

  constructor() {
    this.#delay.enable();
  }

  sample(): Sample {
    const seconds = this.#delay.percentile(99) / 1e9;
    this.#delay.reset();
    return sample('console_loop_delay_seconds', Math.round(seconds * 1000) / 1000);
  }

  stop(): void {
    this.#delay.disable();
  }
}

export function processSamples(): Sample[] {
  const { user, system } = process.cpuUsage();
  return [
    sample('process_resident_memory_bytes', process.memoryUsage.rss()),
    sample('process_cpu_seconds_total', (user + system) / 1e6),
    sample('process_start_time_seconds', Math.round(Date.now() / 1000 - process.uptime())),
  ];
}

/** Calls of the API. Paths are those of the route table, so their number is bounded. */
export class CallCounter {
  readonly #counts = new Map<string, { labels: Record<string, string>; count: number }>();

  count(method: string, path: string, code: string): void {
    const key = `${method} ${path} ${code}`;
    const known = this.#counts.get(key);
    if (known) known.count += 1;
    else this.#counts.set(key, { labels: { method, path, code }, count: 1 });
  }

  samples(): Sample[] {
    return [...this.#counts.values()].map(({ labels, count }) =>
      sample('console_api_calls_total', count, labels),
    );
  }
}
