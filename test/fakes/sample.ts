import type { Machine, Running } from './machine/machine.js';
import type { Asked, Base } from './machine/world.js';

/**
 * One way in which a command changes the node. The crash test tries every one of them at every point at which a machine can stop.
 * A state-changing command that is not here fails the tests: add yours.
 */
export interface Sample {
  readonly title: string;
  readonly base: Base;
  /** What was done before, and is durable. */
  readonly prepare?: (running: Running, machine: Machine) => Promise<unknown>;
  /** What it acts on goes on by itself: given again later, it may come too late. */
  readonly passing?: boolean;
  /** What is so of the machine when it acted and the node came back. */
  readonly holds?: (running: Running, machine: Machine) => boolean;
  readonly ask: (running: Running, machine: Pick<Machine, 'clock'>) => Asked | Promise<Asked>;
}
