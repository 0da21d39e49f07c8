import { expect } from 'chai';
import { Supervisor } from '../../../../bmonitor/engines/supervisor.js';
import type { WantedEngine } from '../../../../bmonitor/engines/life.js';
import type {
  Adopted,
  EngineEnd,
  EngineRunner,
  RunningEngine,
  StartOrder,
} from '../../../../bmonitor/ports/engines.js';
import { limits } from '../../../../protocol/limits.js';
import { ok, refuse, type Result } from '../../../../protocol/result.js';

/** Time that passes only when a test says so. */
class FakeTiming {
  #now = 1000;
  #waiting: { readonly at: number; readonly work: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, work: () => void): () => void {
    const entry = { at: this.#now + ms, work };
    this.#waiting.push(entry);
    return () => (this.#waiting = this.#waiting.filter((one) => one !== entry));
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms;
    for (const entry of this.#waiting.filter(({ at }) => at <= this.#now)) {
      this.#waiting = this.#waiting.filter((one) => one !== entry);
      entry.work();
    }
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Engines that obey or not, and what was asked of them. */
class FakeRunner implements EngineRunner {
  readonly asked: string[] = [];
  readonly running = new Map<string, RunningEngine>();
  adopted: readonly Adopted[] = [];
  fails = false;
  deaf = false;
  readonly #timing: FakeTiming;
  #told: (id: string, end: EngineEnd) => void = () => {};

  constructor(timing: FakeTiming) {
    this.#timing = timing;
  }

  adopt(): Promise<Result<readonly Adopted[]>> {
    for (const { engine, ended } of this.adopted) if (!ended) this.running.set(engine.id, engine);
    return Promise.resolve(ok(this.adopted));
  }

  start({ id, lease, round, revision }: StartOrder): Promise<Result<RunningEngine>> {
    this.asked.push(`start ${id} ${round}`);
    if (this.running.has(id)) throw new Error(`${id} runs already`);
    if (this.fails) return Promise.resolve(refuse('engine-failed'));
    const engine = { id, lease, round, revision, pid: 1, since_ms: this.#timing.now(), frozen: false };
    this.running.set(id, engine);
    return Promise.resolve(ok(engine));
  }

  terminate(id: string): Promise<Result<void>> {
    this.asked.push(`terminate ${id}`);
    if (!this.deaf) this.end(id, 0);
    return Promise.resolve(ok(undefined));
  }

  kill(id: string): Promise<Result<void>> {
    this.asked.push(`kill ${id}`);
    this.end(id, 137);
    return Promise.resolve(ok(undefined));
  }

  freeze(id: string, frozen: boolean): Promise<Result<void>> {
    this.asked.push(`${frozen ? 'freeze' : 'thaw'} ${id}`);
    return Promise.resolve(ok(undefined));
  }

  renewSecrets(id: string, names: readonly string[]): Promise<Result<readonly string[]>> {
    this.asked.push(`renew ${id}`);
    return Promise.resolve(ok(names));
  }

  hangUp(id: string): Promise<void> {
    this.asked.push(`hang up ${id}`);
    return Promise.resolve();
  }

  setMemory(): Promise<Result<void>> {
    return Promise.resolve(ok(undefined));
  }

  usage(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  forgetOthers(): Promise<void> {
    return Promise.resolve();
  }

  forget(_: string, id: string): Promise<Result<void>> {
    if (this.running.has(id)) throw new Error(`${id} still runs`);
    this.asked.push(`forget ${id}`);
    return Promise.resolve(ok(undefined));
  }

  onEnd(tell: (id: string, end: EngineEnd) => void): void {
    this.#told = tell;
  }

  onStarved(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  end(id: string, code: number): void {
    if (this.running.delete(id)) this.#told(id, { code, outOfMemory: false, at_ms: this.#timing.now() });
  }
}

function wanted(more: Partial<WantedEngine> = {}): WantedEngine {
  return {
    id: 'a',
    lease: 'l',
    slot: 1,
    round: 1,
    layer: 1,
    revision: 1,
    wanted: 'running',
    grace_s: 5,
    described: { name: 'web', settings: { image: `sha256:${'0'.repeat(64)}` } },
    ...more,
  };
}

describe('the supervision of engines', () => {
  let timing: FakeTiming;
  let runner: FakeRunner;
  let supervisor: Supervisor;

  beforeEach(() => {
    timing = new FakeTiming();
    runner = new FakeRunner(timing);
    supervisor = new Supervisor({ runner, timing, tell: () => {} });
  });

  async function want(...engines: readonly WantedEngine[]): Promise<void> {
    await supervisor.reconcile(engines);
    await settle();
  }

  it('starts what is wanted, once, however often it is said', async () => {
    await want(wanted());
    await want(wanted());
    expect(runner.asked).to.deep.equal(['start a 1']);
    expect(supervisor.facts('a')?.state).to.equal('running');
  });

  it('asks an engine to end, and kills it when its time is over', async () => {
    await want(wanted());
    runner.deaf = true;
    await want(wanted({ wanted: 'stopped', round: 2 }));
    expect(supervisor.facts('a')?.state).to.equal('ending');
    await timing.pass(4999);
    expect(runner.asked).to.deep.equal(['start a 1', 'terminate a']);
    await timing.pass(1);
    expect(runner.asked.at(-1)).to.equal('kill a');
    expect(supervisor.facts('a')?.state).to.equal('stopped');
  });

  it('kills at once when that is commanded while the engine is given its time', async () => {
    await want(wanted());
    runner.deaf = true;
    await want(wanted({ wanted: 'stopped', round: 2 }));
    await want(wanted({ wanted: 'stopped', round: 3, grace_s: 0 }));
    expect(runner.asked.at(-1)).to.equal('kill a');
  });

  it('ends what runs of an earlier round before it starts the next', async () => {
    await want(wanted());
    await want(wanted({ round: 2 }));
    expect(runner.asked).to.deep.equal(['start a 1', 'terminate a', 'start a 2']);
  });

  it('thaws what is frozen before it is ended, since it hears nothing', async () => {
    await want(wanted({ wanted: 'paused' }));
    await want(wanted({ wanted: 'stopped', round: 2 }));
    expect(runner.asked).to.deep.equal(['start a 1', 'freeze a', 'thaw a', 'terminate a']);
  });

  it('starts again what ended by itself, later each time', async () => {
    await want(wanted());
    runner.end('a', 1);
    await settle();
    runner.end('a', 1);
    await settle();
    expect(runner.asked).to.deep.equal(['start a 1', 'start a 1']);
    await timing.pass(limits.engine_first_delay_ms);
    expect(runner.asked).to.have.length(3);
  });

  it('does not touch what an earlier BMonitor left running', async () => {
    const engine = { id: 'a', lease: 'l', round: 1, revision: 1, pid: 7, since_ms: 3, frozen: false };
    runner.adopted = [{ engine }];
    await want(wanted());
    expect(runner.asked).to.deep.equal([]);
    expect(supervisor.facts('a')?.running?.pid).to.equal(7);
  });

  it('ends and removes what nobody wants any more, also when an earlier BMonitor started it', async () => {
    const engine = { id: 'b', lease: 'gone', round: 1, revision: 1, pid: 7, since_ms: 3, frozen: false };
    runner.adopted = [{ engine }];
    await want(wanted());
    expect(runner.asked).to.include.members(['kill b', 'forget b']);
    expect(supervisor.facts('b')).to.equal(undefined);
  });

  it('leaves running, and does not start, what it cannot read', async () => {
    await want(wanted());
    const { described: _locked, ...locked } = wanted();
    await want(locked);
    expect(supervisor.facts('a')?.state).to.equal('running');
    runner.end('a', 1);
    await settle();
    expect(supervisor.facts('a')?.state).to.equal('locked');
    await want(wanted());
    expect(supervisor.facts('a')?.state).to.equal('running');
  });

  it('has ended every engine of a lease when it says so, and starts none until something is wanted again', async () => {
    await want(wanted(), wanted({ id: 'b' }), wanted({ id: 'c', lease: 'other' }));
    expect((await supervisor.halt(new Set(['l']))).ok).to.equal(true);
    expect([...runner.running.keys()]).to.deep.equal(['c']);
    await timing.pass(limits.engine_delay_ms_max);
    expect([...runner.running.keys()]).to.deep.equal(['c']);
    await want(wanted(), wanted({ id: 'b' }), wanted({ id: 'c', lease: 'other' }));
    expect(runner.running.size).to.equal(3);
  });

  it('tries again what could not be started, and says why', async () => {
    runner.fails = true;
    await want(wanted());
    expect(supervisor.facts('a')?.lastFailure?.code).to.equal('engine-failed');
    runner.fails = false;
    await timing.pass(limits.engine_delay_ms_max);
    expect(supervisor.facts('a')?.state).to.equal('running');
  });
});
