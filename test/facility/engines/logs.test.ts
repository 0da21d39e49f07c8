import { expect } from 'chai';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';
import { until } from '../../fakes/until.js';
import { EngineRig, smallSystem } from './rig.js';

const lines = 300_000;
/** Some 40 MB with what conmon puts before each line: five times what one file takes. */
const noise = `awk 'BEGIN { for (i = 0; i < ${lines}; i++) printf "%d %0100d\\n", i, 0 }'; echo over`;

/** Which lines came, in order: what is missing or out of place shows at once. */
class Counted {
  readonly wrong: string[] = [];
  count = 0;
  over = false;
  #held = '';
  #part = '';

  take(bytes: Uint8Array): void {
    const all = `${this.#held}${Buffer.from(bytes).toString('latin1')}`.split('\n');
    this.#held = all.pop() ?? '';
    for (const line of all) {
      const [, whole, text = ''] = /^\S+ stdout ([FP]) (.*)$/.exec(line) ?? [];
      this.#part += text;
      // Conmon writes a long piece in parts, and says of each whether its line ends with it.
      if (whole === 'P') continue;
      const [said] = this.#part.split(' ');
      this.#part = '';
      if (said === 'over') this.over = true;
      else if (said === String(this.count)) this.count += 1;
      else if (this.wrong.length < 5) this.wrong.push(`after ${this.count}: ${line.slice(0, 80)}`);
    }
  }
}

describe('the log of a noisy engine', function () {
  this.timeout(180_000);
  let rig: EngineRig;
  let system: string;
  let since_ms = 0;

  before(async () => {
    rig = await EngineRig.make();
    system = smallSystem();
    const image = rig.import(system);
    const settings = { image, command: ['sh', '-c', `sleep 1; ${noise}; exec sleep 10000`], grace_s: 0 };
    since_ms = Date.now();
    await rig.run('noisy', settings);
  });
  after(async () => {
    await rig.remove();
    rmSync(system, { recursive: true, force: true });
  });

  it('loses no line to who follows it, however often a file is full', async () => {
    const seen = new Counted();
    const hangUp = await rig.follow('noisy', (bytes) => seen.take(bytes));
    await until(() => seen.over || seen.wrong.length > 0, 120_000);
    hangUp();
    expect(seen.wrong).to.deep.equal([]);
    expect(seen.count).to.equal(lines);
  });

  it('loses no line to who reads it later, from the beginning or since a moment', async () => {
    for (const since of [undefined, since_ms]) {
      const seen = new Counted();
      seen.take(Buffer.from(await rig.logs('noisy', since)));
      expect([seen.wrong, seen.count, seen.over]).to.deep.equal([[], lines, true]);
    }
  });

  it('rests in files of a bounded size, and all together are bounded too', async () => {
    const [engine = ''] = readdirSync(join(rig.dataFolder, 'engines'));
    const logs = join(rig.dataFolder, 'engines', engine, 'logs');
    const sizes = readdirSync(logs).map((name) => statSync(join(logs, name)).size);
    expect(sizes.length).to.be.greaterThan(2);
    await rig.ask({ type: 'engine.restart', name: 'noisy' });
    await until(async () => {
      const seen = await rig.logs('noisy', Date.now() - 2000);
      return seen.includes('over');
    });
    const total = readdirSync(logs).reduce((sum, name) => sum + statSync(join(logs, name)).size, 0);
    expect(total).to.be.lessThan(2 * limits.engine_logs_bytes_max);
  });
});
