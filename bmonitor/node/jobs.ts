import { digestOf } from '../../crypto/bytes.js';
import { verify } from '../../crypto/jose.js';
import { publicKeyFromJwk } from '../../crypto/rsa.js';
import { parseJson } from '../../protocol/json.js';
import type { Log } from '../../protocol/log.js';
import { signerOf } from '../../protocol/request.js';
import type { Core } from './core.js';
import { decided, type Decision } from './decision.js';
import type { Going, HardwareJobs } from './hardware.js';
import type { Directories } from './directories.js';
import { afterJob } from './decide/history.js';
import type { Journal } from './journal.js';
import { Reencrypting } from './reencrypting.js';
import { consoleOfKey } from './judge.js';
import { noEntry, type Job, type NodeState } from './state.js';

/** Lines that are checked between two durable marks: after a crash at most so many are checked twice. */
const linesAtOnce = 200;

/**
 * Long commands. Each goes in steps; after each step how far it came is made durable, so that it goes on after a restart, is seen from
 * outside, and can be cancelled between two steps.
 */
export class Jobs {
  readonly #core: Core;
  readonly #journal: Journal;
  readonly #running = new Map<string, Promise<void>>();
  readonly #hardware: HardwareJobs;
  readonly #log: Log;
  /** Asked to go on while they were about to rest. */
  readonly #again = new Set<string>();
  #stopped = false;

  readonly #reencrypting: Reencrypting;

  constructor(parts: {
    core: Core;
    journal: Journal;
    hardware: HardwareJobs;
    directories: Directories;
    log: Log;
  }) {
    this.#core = parts.core;
    this.#reencrypting = new Reencrypting(parts.core, parts.journal, parts.directories);
    this.#journal = parts.journal;
    this.#hardware = parts.hardware;
    this.#log = parts.log;
  }

  /** Goes on with a job in the background; a job that runs already is left alone. */
  run(id: string): void {
    if (this.#running.has(id)) return void this.#again.add(id);
    this.#running.set(id, this.#whole(id));
  }

  async #whole(id: string): Promise<void> {
    const begins = this.#job(id);
    if (begins?.state === 'running') this.#tell(begins);
    try {
      await this.#goOn(id);
      const now = this.#job(id);
      if (begins?.state === 'running' && now && now.state !== 'running') this.#tell(now);
      await this.#reencrypting.leave(id);
    } finally {
      this.#running.delete(id);
      if (this.#again.delete(id)) this.run(id);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#again.clear();
    this.#reencrypting.stop();
    await Promise.all(this.#running.values());
  }

  async #goOn(id: string): Promise<void> {
    for (;;) {
      const job = this.#job(id);
      if (!job || job.state !== 'running' || this.#stopped) return;
      const next = await this.#step(job);
      if (!next) return;
      const marked = await this.#core.actByItself('job.step', (state) => mark(state, job, next));
      if (!marked || next.state !== 'running') await this.#hardware.ended(job);
      if (!marked) return;
    }
  }

  #job(id: string): Job | undefined {
    return this.#core.state.jobs.find((one) => one.id === id);
  }

  /** By the id of the command that began it, as the rest of that command's life is told. */
  #tell({ id, jti, kind, state, done, total, note }: Job): void {
    const about = { ...(jti === undefined ? {} : { id: jti }), job: id, kind, done, total };
    if (state === 'failed') this.#log.warn('job.failed', { ...about, why: note });
    else this.#log.info(`job.${state}`, about);
  }

  #goesOn({ id }: Job): Going {
    if (this.#stopped) return 'stopped';
    return this.#core.state.jobs.some((one) => one.id === id && one.state === 'running') ? 'on' : 'off';
  }

  async #step(job: Job): Promise<Job | undefined> {
    if (job.kind === 'keys.reencrypt') return this.#reencrypting.step(job, () => this.#goesOn(job));
    if (job.kind !== 'history.verify') return this.#hardware.step(job, () => this.#goesOn(job));
    const lines = await this.#journal.history(job.lease, job.done + 1, linesAtOnce, job.total);
    if (lines.length === 0) return this.#withoutLines(job);
    const wrong = await this.#firstWrong(lines, job.note);
    const done = job.done + lines.length;
    if (wrong) return { ...job, state: 'failed', done, note: wrong };
    const note = digestOf(lines.at(-1) ?? '');
    return { ...job, done, note, state: done >= job.total ? 'done' : 'running' };
  }

  /** Trimmed meanwhile: it goes on where the history begins now. Not there, or not to be read: that is what is wrong with it. */
  #withoutLines(job: Job): Job {
    const first = this.#core.state.levels.find((level) => level.lease === job.lease)?.history.first ?? 1;
    const missing = job.done + 1;
    if (missing > job.total) return { ...job, state: 'done' };
    if (missing >= first)
      return { ...job, state: 'failed', note: `entry ${missing} is missing or cannot be read` };
    return { ...job, done: Math.min(first - 1, job.total), note: '' };
  }

  async #firstWrong(lines: readonly string[], before: string): Promise<string | undefined> {
    let previous = before;
    for (const line of lines) {
      const parsed = parseJson(line);
      if (!parsed.ok) return 'a line is not JSON';
      const entry = parsed.value as { seq: number; previous: string; sees: string; statement?: string };
      if (previous !== '' && entry.previous !== previous)
        return `entry ${entry.seq} does not follow the one before it`;
      if (entry.seq === 1 && entry.previous !== noEntry) return 'the first entry follows another';
      if (
        entry.sees === 'statement' &&
        entry.statement !== undefined &&
        !(await this.#signed(entry.statement))
      )
        return `the statement of entry ${entry.seq} is not signed by the key it names`;
      previous = digestOf(line);
    }
    return undefined;
  }

  /** A console that was removed since is not known any more; whoever exports the history has its key. */
  async #signed(statement: string): Promise<boolean> {
    const kid = signerOf(statement);
    const enrolled = kid.ok ? consoleOfKey(this.#core.state, kid.value) : undefined;
    const key = enrolled && publicKeyFromJwk(enrolled.key);
    return !key || (await verify(key.key, statement)) !== undefined;
  }
}

function mark(state: NodeState, before: Job, after: Job): Decision | undefined {
  const jobs = state.jobs.map((one) => (one.id === before.id && one.state === 'running' ? after : one));
  if (!jobs.includes(after)) return undefined;
  const fields = { job: after.id, state: after.state, done: after.done, total: after.total };
  const effects = after.state === 'running' ? [] : afterJob(after);
  return decided(
    { ...state, jobs },
    { effects, events: [{ to: [after.level], kind: 'job.progress', fields }] },
  );
}
