import { expect } from 'chai';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Probe } from '../../../protocol/engine-probes.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { until } from '../../fakes/until.js';
import { EngineRig, type Shown } from './rig.js';
import { pythonSystem } from './systems.js';

const program = fileURLToPath(new URL('../../../../test/facility/engines/probed.py', import.meta.url));

type Healthy = Shown & {
  readonly health?: string;
  readonly probes?: readonly { readonly probe: string; readonly state: string; readonly why?: string }[];
  readonly lastEnd?: { readonly how: string; readonly probe?: string; readonly detail?: string };
};

const often = { every_s: 1, timeout_s: 1, failures: 2, start_s: 60 } as const;
const http: Probe = { kind: 'http', port: 8080, path: '/', contains: 'well', ...often };

describe('the health of an engine', function () {
  this.timeout(600_000);
  let rig: EngineRig;
  let folder: string;
  let image: string;

  before(async () => {
    rig = await EngineRig.make();
    folder = pythonSystem();
    cpSync(program, join(folder, 'probed.py'));
    image = rig.import(folder);
  });
  after(async () => {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const shown = (name: string): Promise<Healthy> => rig.shown(name);

  async function run(
    name: string,
    probes: readonly Probe[],
    more: Partial<EngineSettings> = {},
  ): Promise<void> {
    await rig.run(name, { image, command: ['python3', '/probed.py'], grace_s: 0, probes, ...more });
    await isNow(name, 'good');
  }

  async function isNow(name: string, health: string): Promise<Healthy> {
    let last: Healthy | undefined;
    await until(async () => (last = await shown(name)).health === health, 150_000).catch((error: unknown) => {
      throw new Error(`${name} is ${JSON.stringify(last)}`, { cause: error });
    });
    if (!last) throw new Error('nothing was shown');
    return last;
  }

  async function becomes(name: string, mode: string): Promise<void> {
    const door = await rig.door({
      type: 'engine.exec',
      name,
      command: ['sh', '-c', 'echo "$0" > /mode', mode],
    });
    await door.ended;
    expect(door.code(), door.text()).to.equal(0);
  }

  async function gone(name: string): Promise<void> {
    await rig.ask({ type: 'engine.remove', name });
  }

  for (const [title, mode, probe, how] of [
    ['hangs, by HTTP', 'hung', http, 'hung'],
    ['answers with an error, by HTTP', 'wrong', http, 'wrong-answer'],
    ['answers with something else, by HTTP', 'strange', http, 'wrong-answer'],
    ['takes no connections any more', 'silent', { kind: 'tcp', port: 8080, ...often }, 'silent'],
    [
      'has a thread that hangs',
      'worker hung',
      { kind: 'ask', of: 'worker', answer: 'yes', ...often },
      'hung',
    ],
    [
      'has a thread that answers wrong',
      'worker wrong',
      { kind: 'ask', of: 'worker', answer: 'yes', ...often },
      'wrong-answer',
    ],
    ['has no heartbeat any more', 'still', { kind: 'beat', within_s: 2 }, 'hung'],
  ] as const)
    it(`is bad when it ${title}; it is started again, and that is why`, async () => {
      await run('probed', [probe]);
      await becomes('probed', mode);
      await until(async () => (await shown('probed')).restarts === 1, 60_000);
      const { lastEnd } = await shown('probed');
      expect(lastEnd).to.include({ how });
      expect(lastEnd?.probe).to.match(new RegExp(`^${probe.kind}`));
      await isNow('probed', 'good');
      await gone('probed');
    });

  it('is bad when a command inside it fails, and hung when that does not end', async () => {
    const script = 'case "$(cat /mode 2>/dev/null)" in wrong) exit 3;; hung) sleep 600;; esac';
    const timing = { every_s: 10, timeout_s: 8, failures: 1, onBad: 'tell' } as const;
    await run('commanded', [{ kind: 'command', command: ['sh', '-c', script], ...timing }]);
    for (const [mode, why] of [
      ['wrong', 'wrong-answer'],
      ['hung', 'hung'],
    ]) {
      await becomes('commanded', mode ?? '');
      let last: unknown;
      await until(async () => {
        const { probes } = await shown('commanded');
        last = probes;
        return probes?.[0]?.why === why;
      }, 150_000).catch((error: unknown) => {
        throw new Error(JSON.stringify(last), { cause: error });
      });
    }
    await becomes('commanded', 'well');
    expect((await isNow('commanded', 'good')).restarts).to.equal(0);
    await gone('commanded');
  });

  it('is only told where the probe says so, or nothing is started again; and is good again when the engine is', async () => {
    await run('told', [{ ...http, onBad: 'tell' }]);
    await run('never', [http], { restart: 'never' });
    for (const name of ['told', 'never']) await becomes(name, 'wrong');
    for (const name of ['told', 'never']) {
      const bad = await isNow(name, 'bad');
      expect(bad.probes?.[0]).to.include({ probe: 'http 8080/', state: 'bad', why: 'wrong-answer' });
      await becomes(name, 'well');
      expect(await isNow(name, 'good')).to.include({ restarts: 0, state: 'running' });
      await gone(name);
    }
  });

  it('is unknown while the engine is paused', async () => {
    await run('paused', [http]);
    await rig.ask({ type: 'engine.pause', name: 'paused' });
    await isNow('paused', 'unknown');
    await rig.ask({ type: 'engine.resume', name: 'paused' });
    await isNow('paused', 'good');
    await gone('paused');
  });

  it('is looked after by the next BMonitor when this one was killed: what went on is good, what hangs is found', async () => {
    const probes: readonly Probe[] = [http, { kind: 'beat', within_s: 2 }];
    await run('kept', probes);
    await run('stuck', probes);
    const { since_ms } = await shown('kept');
    await rig.restartNode('SIGKILL');
    expect(await isNow('kept', 'good')).to.include({ since_ms, restarts: 0 });
    await isNow('stuck', 'good');
    await becomes('stuck', 'hung');
    await rig.restartNode('SIGKILL');
    await until(async () => (await shown('stuck')).lastEnd?.how === 'hung', 150_000);
    expect((await isNow('kept', 'good')).restarts).to.equal(0);
    for (const name of ['kept', 'stuck']) await gone(name);
  });

  it('tells a process that the kernel ended for its memory from an engine that ended so', async () => {
    const script = 'head -c 200m /dev/zero | tail > /dev/null; sleep 8; exit 0';
    await rig.run('starved', { image, command: ['sh', '-c', script], memory_mb: 24, restart: 'never' });
    await until(async () => (await shown('starved')).lastEnd !== undefined, 150_000);
    expect((await shown('starved')).lastEnd).to.deep.include({ how: 'exit', code: 0 });
    await gone('starved');
  });
});
