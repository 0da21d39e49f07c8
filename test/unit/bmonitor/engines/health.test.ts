import { expect } from 'chai';
import { EngineHealth, type Unwell } from '../../../../bmonitor/engines/health.js';
import { afterProbe, unknownSince, wellnessOf } from '../../../../bmonitor/engines/probing.js';
import type { Probed, RunningEngine } from '../../../../bmonitor/ports/engines.js';
import type { Probe } from '../../../../protocol/engine-probes.js';

const image = `sha256:${'0'.repeat(64)}`;
const well: Probed = { well: true };
const hung: Probed = { well: false, why: 'hung', detail: 'it says nothing' };

/** Time that passes only when a test says so; the wall clock can be set apart from it. */
class FakeTime {
  steady_ms = 1000;
  wall_ms = 1_000_000;
  #waiting: { readonly at: number; readonly work: () => void }[] = [];

  readonly timing = {
    now: (): number => this.wall_ms,
    after: (ms: number, work: () => void): (() => void) => {
      const entry = { at: this.steady_ms + ms, work };
      this.#waiting.push(entry);
      return () => (this.#waiting = this.#waiting.filter((one) => one !== entry));
    },
  };

  async pass(ms: number): Promise<void> {
    const end = this.steady_ms + ms;
    for (;;) {
      const [next] = this.#waiting.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
      const to = next ? Math.max(next.at, this.steady_ms) : end;
      this.wall_ms += to - this.steady_ms;
      this.steady_ms = to;
      if (!next) return;
      this.#waiting = this.#waiting.filter((one) => one !== next);
      next.work();
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('the health of engines', () => {
  let time: FakeTime;
  let health: EngineHealth;
  let says: Probed;
  let tries: number;
  let beat_ms: number | undefined;
  let told: string[];
  let unwell: Unwell[];

  beforeEach(() => {
    time = new FakeTime();
    [says, tries, beat_ms, told, unwell] = [well, 0, undefined, [], []];
    health = new EngineHealth({
      timing: time.timing,
      steady: () => time.steady_ms,
      prober: {
        probe: () => {
          tries += 1;
          return Promise.resolve(says);
        },
      },
      beatOf: () => beat_ms,
      tell: (_, kind) => told.push(kind),
    });
  });

  function begin(probe: Probe, more: Partial<RunningEngine> = {}): void {
    const settings = { image, probes: [probe] };
    const engine = { id: 'a', lease: 'l', round: 1, revision: 1, pid: 16, frozen: false, settings };
    health.begin({ ...engine, since_ms: time.wall_ms, ...more }, (what) => unwell.push(what));
  }

  const tcp: Probe = { kind: 'tcp', port: 80 };

  it('is unknown until it was looked at, good when all is well, and then it is looked at as often as was said', async () => {
    begin(tcp);
    expect(health.facts('a')?.health).to.equal('unknown');
    await time.pass(1000);
    expect(health.facts('a')?.health).to.equal('good');
    tries = 0;
    await time.pass(60_000);
    expect(tries).to.equal(6);
  });

  it('holds nothing against an engine that is starting', async () => {
    says = hung;
    begin({ ...tcp, start_s: 20 });
    await time.pass(19_000);
    expect(health.facts('a')?.health).to.equal('unknown');
    expect(unwell).to.deep.equal([]);
    await time.pass(5_000);
    expect(health.facts('a')?.health).to.equal('bad');
    expect(unwell).to.deep.equal([{ probe: 'tcp 80', why: 'hung', detail: 'it says nothing' }]);
  });

  it('is bad after as many failures in a row as were said, and good again after as many successes', async () => {
    begin({ ...tcp, every_s: 1, failures: 3, successes: 2, onBad: 'tell' });
    await time.pass(1000);
    says = hung;
    await time.pass(2000);
    expect(health.facts('a')?.health).to.equal('good');
    await time.pass(1000);
    expect(health.facts('a')?.health).to.equal('bad');
    says = well;
    await time.pass(1000);
    expect(health.facts('a')?.health).to.equal('bad');
    await time.pass(1000);
    expect(health.facts('a')?.health).to.equal('good');
    expect(told).to.deep.equal(['engine.unwell', 'engine.well']);
    expect(unwell).to.deep.equal([]);
  });

  it('goes by heartbeats, and takes no clock that was set for an engine that hangs', async () => {
    begin({ kind: 'beat', within_s: 5, start_s: 0 });
    await time.pass(3000);
    expect(health.facts('a')?.health).to.equal('unknown');
    beat_ms = time.steady_ms;
    await time.pass(2000);
    expect(health.facts('a')?.health).to.equal('good');
    time.wall_ms += 3_600_000;
    await time.pass(1000);
    expect(health.facts('a')?.health).to.equal('good');
    await time.pass(4000);
    expect(unwell).to.have.length(1);
    expect(unwell[0]).to.include({ why: 'hung' });
  });

  it('gives an engine that was found running its time to be heard, and no time to start', async () => {
    begin({ kind: 'beat', within_s: 5 }, { since_ms: time.wall_ms - 3_600_000 });
    await time.pass(4000);
    expect(unwell).to.deep.equal([]);
    await time.pass(3000);
    expect(unwell[0]).to.include({ why: 'silent' });
  });

  it('asks nothing of an engine that is frozen or has ended, and forgets what was known of it', async () => {
    begin({ ...tcp, every_s: 1 });
    await time.pass(2000);
    health.freeze('a', true);
    tries = 0;
    await time.pass(10_000);
    expect([tries, health.facts('a')?.health]).to.deep.equal([0, 'unknown']);
    health.freeze('a', false);
    await time.pass(2000);
    expect(health.facts('a')?.health).to.equal('good');
    health.end('a');
    tries = 0;
    await time.pass(10_000);
    expect([tries, health.facts('a')]).to.deep.equal([0, undefined]);
  });

  it('is as good as the worst of its probes', () => {
    const at = { now_ms: 0, starting: false };
    const good = afterProbe(tcp, unknownSince(0), well, at);
    const bad = afterProbe({ kind: 'tcp', failures: 1 }, good, hung, at);
    expect(wellnessOf([good, good])).to.equal('good');
    expect(wellnessOf([good, unknownSince(0)])).to.equal('unknown');
    expect(wellnessOf([unknownSince(0), bad])).to.equal('bad');
  });
});
