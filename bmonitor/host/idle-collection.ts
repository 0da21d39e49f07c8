import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { limits } from '../../protocol/limits.js';

/** What this process used, what time it is, and how what nobody holds any more is collected. */
export interface Collecting {
  processor_ms(): number;
  now_ms(): number;
  collect(): void;
}

/**
 * V8 collects when new objects need the room. A node that nobody speaks to makes few, so what nobody holds would lie about for the better part
 * of an hour, and its memory would rise and fall by several megabytes for nothing. So it is collected while the node has nothing else to do, and
 * never while it works: a collection stops everything for some 20 ms.
 *
 * Gives what is to be called now and then. True: it has collected.
 */
export function idleCollection(on: Collecting): () => boolean {
  let [used_ms, at_ms] = [on.processor_ms(), on.now_ms()];
  return () => {
    const [before_ms, since_ms] = [used_ms, at_ms];
    [used_ms, at_ms] = [on.processor_ms(), on.now_ms()];
    const idle = used_ms - before_ms <= ((at_ms - since_ms) * limits.idle_processor_percent_max) / 100;
    if (idle) on.collect();
    return idle;
  };
}

/**
 * `also`: what else gives memory back. Node.js has no door to its collector but this one; a flag at the start would give it to every script of
 * the process.
 */
export function hostCollecting(also: () => void = () => {}): Collecting {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return {
    processor_ms() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    now_ms: () => performance.now(),
    collect() {
      collect();
      also();
    },
  };
}
