import type { PowerAct } from '../../protocol/power.js';
import type { Result } from '../../protocol/result.js';

/** What switches the machine, as far as the node can do it from within. */
export interface MachinePower {
  /** What a command acts on: where many nodes share one machine, or another supervisor starts BMonitor, only its own process. */
  readonly actsOn: 'machine' | 'process';
  /** Names this start of what is acted on: another one after a reboot. */
  readonly start: string;
  /** Resolves after this time, or when the node is being stopped. */
  wait(seconds: number): Promise<void>;
  /** `going`: it was ordered, and what is acted on ends soon. `done`: it is over already, as a machine that slept is awake again. */
  act(act: PowerAct): Promise<Result<'going' | 'done'>>;
  /** The light by which a person finds the machine. */
  light(on: boolean, seconds: number): Promise<Result<void>>;
}
