import type { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import type { Refusal } from '../../protocol/result.js';
import { newKey } from '../keys/ring.js';
import type { Core } from './core.js';
import { decideReencrypted } from './decide/reencrypt.js';
import type { Directories } from './directories.js';
import type { Going } from './hardware.js';
import type { Journal } from './journal.js';
import type { Job } from './state.js';

/** A re-encryption that is under way in this start of the node. */
interface Underway {
  readonly job: Job;
  /** The next data key: in memory only until it counts, so that what is written under it ahead is worth nothing without that moment. */
  readonly key: Secret;
  copying: Promise<Refusal | undefined> | undefined;
  done: number;
  total: number;
  wake: () => void;
}

/**
 * Encrypts everything of a lease anew while the node goes on: the directory, then the history, to the place of the next data key; then, in one durable
 * step, that place is what counts and the key before is destroyed.
 *
 *     asked for ──engines stand still──▶ directory copied ──▶ history copied ──▶ in one step: it counts, engines run
 *         │                                    │                    │
 *         └── cancelled, data destroyed, lease over or dark: what was copied is cleared away ──▶ as before
 *
 * INVARIANTS:
 * - Until the last step nothing has changed: a node that is stopped begins anew with another key, and a start clears away what was copied.
 * - The last step is made only with a copy of everything, of a directory that nobody wrote to meanwhile.
 */
export class Reencrypting {
  readonly #core: Core;
  readonly #journal: Journal;
  readonly #directories: Directories;
  readonly #underway = new Map<string, Underway>();
  #stopped = false;

  constructor(core: Core, journal: Journal, directories: Directories) {
    this.#core = core;
    this.#journal = journal;
    this.#directories = directories;
  }

  /** Undefined: there is nothing more to mark; it is done, not wanted any more, or has to wait until its data is open. */
  async step(job: Job, goesOn: () => Going): Promise<Job | undefined> {
    if (goesOn() !== 'on' || !this.#isOpen(job)) return undefined;
    const underway = this.#underway.get(job.id) ?? this.#begin(job);
    const refused = await this.#copiedOrFurther(underway);
    if (refused === 'further') return { ...job, done: underway.done, total: underway.total };
    if (goesOn() !== 'on' || !this.#isOpen(job)) return undefined;
    if (refused) return failed(job, refused);
    const { key } = underway;
    const ahead = await this.#journal.ahead.copy(job.lease, key, job.epoch ?? 0, () => goesOn() === 'on');
    if (!ahead) return undefined;
    await this.#core.actByItself('keys.reencrypted', (state) => decideReencrypted(state, job, key));
    return undefined;
  }

  /** The job rests, in this start or for good: what it had made ahead is of no use any more. */
  async leave(id: string): Promise<void> {
    const underway = this.#underway.get(id);
    if (!underway) return;
    this.#underway.delete(id);
    await underway.copying;
    const { lease, epoch } = underway.job;
    const level = this.#core.state.levels.find((one) => one.lease === lease);
    // Where it counts now nothing is taken away, and the key is the ring's, or was.
    if (level?.epoch === epoch) return this.#journal.ahead.forget(lease);
    if (!this.#stopped) await this.#journal.ahead.clear(lease, epoch ?? 0);
    underway.key.wipe();
  }

  stop(): void {
    this.#stopped = true;
    for (const underway of this.#underway.values()) underway.wake();
  }

  #isOpen({ lease }: Job): boolean {
    const level = this.#core.state.levels.find((one) => one.lease === lease);
    return level?.status === 'active' && this.#core.ring.data.has(lease);
  }

  #begin(job: Job): Underway {
    const underway: Underway = { job, key: newKey(), copying: undefined, done: 0, total: 0, wake: () => {} };
    this.#underway.set(job.id, underway);
    const { lease, epoch = 0 } = job;
    underway.copying = this.#directories
      .copyAhead({
        lease,
        epoch,
        data: underway.key,
        watch: (done, total) => {
          const marked = underway.total === 0 ? 0 : underway.done / underway.total;
          if (total === 0 || done / total - marked < limits.reencrypt_mark_percent / 100) return;
          [underway.done, underway.total] = [done, total];
          underway.wake();
        },
      })
      .then((copied) => (copied.ok ? undefined : copied.refusal));
    return underway;
  }

  async #copiedOrFurther(underway: Underway): Promise<Refusal | 'further' | undefined> {
    const further = new Promise<'further'>((resolve) => (underway.wake = () => resolve('further')));
    return Promise.race([underway.copying, further]);
  }
}

function failed(job: Job, { code, detail }: Refusal): Job {
  return { ...job, state: 'failed', note: detail === undefined ? code : `${code}: ${detail}` };
}
