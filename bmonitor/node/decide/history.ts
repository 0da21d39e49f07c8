import { limits } from '../../../protocol/limits.js';
import { ok, refuse } from '../../../protocol/result.js';
import type { Decide } from '../decision.js';
import { decided, type Effect } from '../decision.js';
import { trimmedTo } from '../history-room.js';
import { replaceLevel, type Job } from '../state.js';
import { levelOf } from './consoles.js';

/** The signed command itself, which stays in the history, is the checkpoint: it names what was before by its digest. */
export const decideTrimHistory: Decide<'history.trim'> = (state, { level: index, command }) => {
  const level = levelOf(state, index);
  if (command.before > level.history.head.seq + 1)
    return refuse('not-found', `the history ends at ${level.history.head.seq}`);
  const first = Math.max(level.history.first, command.before);
  return ok(
    decided(replaceLevel(state, index, { ...level, history: trimmedTo(level.history, first) }), {
      result: { first },
    }),
  );
};

export const decideVerifyHistory: Decide<'history.verify'> = (state, { level: index }, given) => {
  const level = levelOf(state, index);
  const running = state.jobs.filter((job) => job.state === 'running');
  if (running.some((job) => job.lease === level.lease && job.kind === 'history.verify'))
    return refuse('too-many-jobs', 'history.verify runs already');
  if (running.length >= limits.jobs_running_max) return refuse('too-many-jobs');
  const job: Job = {
    id: given.newId(),
    kind: 'history.verify',
    level: index,
    lease: level.lease,
    state: 'running',
    done: level.history.first - 1,
    total: level.history.head.seq,
    note: '',
  };
  return ok(
    decided(
      { ...state, jobs: keepRecent([...state.jobs, job]) },
      { effects: [{ kind: 'run-job', job: job.id }], result: { job: job.id } },
    ),
  );
};

export const decideCancelJob: Decide<'job.cancel'> = (state, { level: index, command }) => {
  const { lease } = levelOf(state, index);
  const job = state.jobs.find((one) => one.id === command.job && one.lease === lease);
  if (!job) return refuse('not-found', 'no such job of this level');
  if (job.state !== 'running') return refuse('job-ended', job.state);
  if (job.power?.orderedIn !== undefined) return refuse('job-ended', 'the machine was told to go down');
  const jobs = state.jobs.map((one) => (one === job ? { ...job, state: 'cancelled' as const } : one));
  return ok(
    decided(
      { ...state, jobs },
      {
        effects: afterJob(job),
        result: { job: job.id },
        events: [{ to: [index], kind: 'job.cancelled', fields: { job: job.id } }],
      },
    ),
  );
};

/** What a job held up goes on, and what it had made ahead is cleared away. */
export function afterJob({ kind }: Pick<Job, 'kind'>): readonly Effect[] {
  return kind === 'keys.reencrypt' ? [{ kind: 'settle-directories' }, { kind: 'run-engines' }] : [];
}

/** Ended jobs are kept for a while, so that a console that was away can see how they ended. */
export function keepRecent(jobs: readonly Job[]): readonly Job[] {
  let surplus = jobs.length - limits.jobs_kept_max;
  return jobs.filter((job) => job.state === 'running' || surplus-- <= 0);
}
