import type { Secret } from '../../../crypto/secret.js';
import { limits } from '../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { KeyChange } from '../../keys/ring.js';
import { decided, type Decision, type Effect, type Given } from '../decision.js';
import { nextEpoch, reencryptionOf, replaceLevel, type Job, type NodeState } from '../state.js';
import { levelOf } from './consoles.js';
import { keysEvent, keysReceipt } from './keys.js';

/** The long part of a rotation with `reencrypt`: everything of the lease is encrypted anew ahead, and in one step at the end that is what counts. */
export function reencryption(state: NodeState, index: number, given: Given): Result<Job> {
  const level = levelOf(state, index);
  if (reencryptionOf(state, level.lease))
    return refuse('too-many-jobs', 'the data is being encrypted anew already');
  if (state.jobs.filter((job) => job.state === 'running').length >= limits.jobs_running_max)
    return refuse('too-many-jobs');
  return ok({
    id: given.newId(),
    kind: 'keys.reencrypt',
    level: index,
    lease: level.lease,
    state: 'running',
    done: 0,
    total: 0,
    note: '',
    epoch: nextEpoch(level),
  });
}

/** What is destroyed is not encrypted anew. */
export function withoutReencrypting(jobs: readonly Job[], leases: readonly string[]): readonly Job[] {
  return jobs.map((job) =>
    job.kind === 'keys.reencrypt' && job.state === 'running' && leases.includes(job.lease)
      ? { ...job, state: 'cancelled', note: 'the data was destroyed' }
      : job,
  );
}

/** After data was opened again: a re-encryption that had to wait for that goes on. */
export function goOnReencrypting({ jobs }: NodeState): readonly Effect[] {
  return jobs
    .filter((job) => job.kind === 'keys.reencrypt' && job.state === 'running')
    .map((job) => ({ kind: 'run-job', job: job.id }));
}

/** Everything is there under the next data key: it takes the place of the old one, which is destroyed. Undefined: it is not wanted any more. */
export function decideReencrypted(state: NodeState, { id, lease }: Job, key: Secret): Decision | undefined {
  const job = reencryptionOf(state, lease);
  const index = state.levels.findIndex((level) => level.lease === lease);
  const level = state.levels[index];
  if (job?.id !== id || job.epoch === undefined || level?.status !== 'active') return undefined;
  const keys: readonly KeyChange[] = [{ kind: 'renew-data', lease, key }];
  const done: Job = { ...job, state: 'done', done: job.total };
  const jobs = state.jobs.map((one) => (one.id === id ? done : one));
  const next = replaceLevel({ ...state, jobs }, index, { ...level, epoch: job.epoch });
  return decided(next, {
    keys,
    reencrypt: [lease],
    receipts: [keysReceipt(state, index, keys)],
    effects: [{ kind: 'run-engines' }],
    events: [
      keysEvent(state, index, 'keys.reencrypted'),
      {
        to: [index],
        kind: 'job.progress',
        fields: { job: id, state: 'done', done: job.total, total: job.total },
      },
    ],
    result: { reencrypted: lease },
  });
}
