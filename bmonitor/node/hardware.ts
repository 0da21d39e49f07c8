import type { MachinePower } from '../ports/power.js';
import type { Refusal } from '../../protocol/result.js';
import type { Job, NodeState, PowerJob } from './state.js';

/** Lets engines stop, each within its own grace but no later than the machine goes down. */
export type Rest = (grace_s: number | undefined) => Promise<void>;

/** Is it still wanted, was it called off, or does this node stop? */
export type Going = 'on' | 'off' | 'stopped';

/**
 * The steps of a command that switches the machine. Each is durable before the next: the time to stop, the order, the end.
 *
 *     told ──until its moment, engines stop──▶ ordered, in this start of the machine ──in another start──▶ done
 *
 * A node that is killed between two steps goes on at the same place. One that was ordered down, and finds itself in the same start of the
 * machine, orders again.
 */
export class HardwareJobs {
  readonly #power: MachinePower;
  readonly #rest: Rest;
  readonly #now_s: () => number;

  constructor(power: MachinePower, rest: Rest, now_s: () => number) {
    this.#power = power;
    this.#rest = rest;
    this.#now_s = now_s;
  }

  /** Undefined: nothing more is to be done in this start. */
  async step(job: Job, goesOn: () => Going): Promise<Job | undefined> {
    if (job.light) {
      const lit = await this.#power.light(job.light.on, job.light.seconds);
      return lit.ok ? { ...job, state: 'done', done: 1 } : failed(job, lit.refusal);
    }
    const { power } = job;
    if (!power) throw new Error(`${job.kind} switches the machine or its light`);
    return power.orderedIn === undefined
      ? this.#drain(job, power, goesOn)
      : this.#order(job, power, power.orderedIn);
  }

  /** Looked at once a second, so that a command that is called off lets the engines run again soon. */
  async #drain(job: Job, power: PowerJob, goesOn: () => Going): Promise<Job | undefined> {
    const left_s = (): number => Math.max(0, power.at_s - this.#now_s());
    await this.#rest(left_s());
    // The time is what was told, and not what a clock that is set meanwhile makes of it.
    for (let wait_s = left_s(); wait_s > 0 && goesOn() === 'on'; wait_s -= 1)
      await this.#power.wait(Math.min(1, wait_s));
    if (goesOn() === 'stopped') return undefined;
    return { ...job, done: 1, power: { ...power, orderedIn: this.#power.start } };
  }

  async #order(job: Job, { act }: PowerJob, orderedIn: string): Promise<Job | undefined> {
    if (orderedIn !== this.#power.start) return { ...job, state: 'done', done: 2 };
    const acted = await this.#power.act(act);
    if (!acted.ok) return failed(job, acted.refusal);
    return acted.value === 'done' ? { ...job, state: 'done', done: 2 } : undefined;
  }

  /** A command that failed, was cancelled or is over leaves the engines as the levels want them. */
  async ended(job: Job): Promise<void> {
    if (job.power) await this.#rest(undefined);
  }
}

function failed(job: Job, { code, detail }: Refusal): Job {
  return { ...job, state: 'failed', note: detail === undefined ? code : `${code}: ${detail}` };
}

/** The state as engines should see it while the machine is about to go down. */
export function resting(state: NodeState, grace_s: number): NodeState {
  const levels = state.levels.map((level) =>
    level.engines
      ? {
          ...level,
          engines: level.engines.map((one) => ({ ...one, wanted: 'stopped' as const, grace_s })),
        }
      : level,
  );
  return { ...state, levels: levels as unknown as NodeState['levels'] };
}
