import type { PowerAct } from '../../../protocol/power.js';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { decided, type Decide, type Decision, type Given, type Request } from '../decision.js';
import type { Job, NodeState } from '../state.js';
import { levelOf } from './consoles.js';
import { keepRecent } from './history.js';

/** Every level is told, with the reason and the moment, in the same step in which it is settled that it will happen. */
export function decidePower(
  state: NodeState,
  { level: index }: Request,
  act: PowerAct,
  { drain, reason = '' }: { readonly drain?: number; readonly reason?: string },
  given: Given,
): Result<Decision> {
  const running = state.jobs.filter((job) => job.state === 'running');
  if (running.some((job) => job.power)) return refuse('too-many-jobs', 'a power command is under way');
  if (running.length >= limits.jobs_running_max) return refuse('too-many-jobs');
  const at_s = given.now_s + Math.max(drain ?? 0, limits.power_notice_s);
  const { lease } = levelOf(state, index);
  const id = given.newId();
  const job: Job = {
    id,
    kind: `hardware.${act}`,
    level: index,
    lease,
    state: 'running',
    done: 0,
    total: 2,
    note: '',
    power: { act, reason, at_s },
  };
  const fields = { act, reason, at: at_s, by: index, job: id };
  return ok(
    decided(
      { ...state, jobs: keepRecent([...state.jobs, job]) },
      {
        effects: [{ kind: 'run-job', job: id }],
        events: [{ to: state.levels.map((_, at) => at), kind: 'hardware.announced', fields }],
        touched: state.levels
          .map((_, level) => ({ level, sees: 'statement' as const }))
          .filter(({ level }) => level !== index),
        result: { job: id, at: at_s },
      },
    ),
  );
}

export const decideIdentify: Decide<'hardware.identify'> = (state, { level: index, command }, given) => {
  const running = state.jobs.filter((job) => job.state === 'running');
  if (running.length >= limits.jobs_running_max) return refuse('too-many-jobs');
  const id = given.newId();
  const light = { on: command.on, seconds: command.seconds ?? limits.identify_s };
  const job: Job = {
    id,
    kind: 'hardware.identify',
    level: index,
    lease: levelOf(state, index).lease,
    state: 'running',
    done: 0,
    total: 1,
    note: '',
    light,
  };
  return ok(
    decided(
      { ...state, jobs: keepRecent([...state.jobs, job]) },
      { effects: [{ kind: 'run-job', job: id }], result: { job: id } },
    ),
  );
};
