import { limits } from '../protocol/limits.js';
import { messageOf, type Log } from '../protocol/log.js';
import { HealthJudge, summaryOf } from './health/judge.js';
import { MachineProbes } from './host/health/watch.js';
import type { HealthReport } from './node/answers.js';
import type { Core } from './node/core.js';
import type { EventLog } from './node/events.js';

export interface HealthWatch {
  readonly report: HealthReport;
  start(on: { readonly core: Core; readonly events: EventLog }): void;
  stop(): void;
}

/** Wires probes, judge and events; decides nothing. Rounds follow each other at a fixed distance, whatever one takes. */
export function healthWatch(folder: string, link: string | undefined, log: Log): HealthWatch {
  const judge = new HealthJudge();
  const probes = new MachineProbes({ folder, link });
  let at_s: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const round = async (core: Core, events: EventLog): Promise<void> => {
    try {
      const readings = await probes.round();
      at_s = core.now_s();
      // Whose level holds the hardware is told of it.
      const to = core.state.levels.flatMap(({ rights }, level) =>
        rights.includes('hardware') ? [level] : [],
      );
      for (const { subject, item, state, reading } of judge.take(readings, at_s))
        events.add({ to, kind: 'health.changed', fields: { subject, item, state, reading } });
    } catch (error) {
      log.error('health.fault', { why: messageOf(error) });
    }
    if (!stopped) timer = setTimeout(() => void round(core, events), limits.health_every_ms);
  };
  return {
    report: {
      summary: () => ({ ...(at_s === undefined ? {} : { at: at_s }), ...summaryOf(judge.subjects) }),
      read: () => ({ ...(at_s === undefined ? {} : { at: at_s }), subjects: judge.subjects }),
    },
    start({ core, events }) {
      void round(core, events);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
