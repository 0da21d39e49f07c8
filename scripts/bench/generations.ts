import { sourcePath, until, type BedProcess, type Place } from '../../test/facility/bed/index.js';
import { tableName } from '../../bmonitor/ports/firewall-text.js';

/** When the kernel put changes of the filters into force, as the kernel tells whoever listens. */
export class Generations {
  readonly #process: BedProcess;

  private constructor(process: BedProcess) {
    this.#process = process;
  }

  static async at(place: Place): Promise<Generations> {
    const process = place.spawn([
      '/usr/bin/python3',
      '-S',
      '-E',
      sourcePath('scripts/bench/generations.py'),
      tableName,
    ]);
    await process.says(/ready\n/u);
    return new Generations(process);
  }

  /**
   * For each of these moments, how long it took until the last change of the filters themselves before the next of them; the latch behind them
   * only follows. The last moment ends the last but one.
   */
  took_ms(moments: readonly number[]): Promise<readonly number[]> {
    return until(() => this.#all(moments), { what: 'what the kernel tells of every change' });
  }

  #all(moments: readonly number[]): readonly number[] | undefined {
    const changed = new RegExp(`^(\\d+\\.\\d+) ${tableName}$`, 'u');
    const enforced = this.#process.log.split('\n').flatMap((line) => {
      const [, at] = changed.exec(line) ?? [];
      return at === undefined ? [] : [Number(at)];
    });
    const took: number[] = [];
    for (const [index, from] of moments.slice(0, -1).entries()) {
      const last = enforced.findLast((at) => at >= from && at < (moments[index + 1] ?? 0));
      if (last === undefined) return undefined;
      took.push(last - from);
    }
    return took;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}
