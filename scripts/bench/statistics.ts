import type { Measurement, Wanted } from './suite.js';

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export interface Row extends Measurement {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Median over the baseline's median, or the median of the ratios of pairs. */
  readonly ratio: number | undefined;
  readonly met: boolean | undefined;
}

function ratioOf(it: Measurement, base: Measurement): number {
  if (it.paired !== true) return quantile(it.values, 0.5) / quantile(base.values, 0.5);
  return quantile(
    it.values.map((value, at) => value / (base.values[at] ?? Number.NaN)),
    0.5,
  );
}

function isMet(
  wanted: Wanted | undefined,
  figures: { readonly median: number; readonly ratio: number | undefined },
): boolean | undefined {
  const figure = wanted && figures[wanted.of];
  if (wanted === undefined || figure === undefined) return undefined;
  return wanted.at === 'most' ? figure <= wanted.value : figure >= wanted.value;
}

/** Medians with the middle half of the values, and ratios to the baselines of the same run. */
export function rowsOf(measurements: readonly Measurement[]): readonly Row[] {
  return measurements.map((it) => {
    const median = quantile(it.values, 0.5);
    const base = measurements.find(({ name }) => name === it.baseline);
    if (it.baseline !== undefined && base === undefined)
      throw new Error(`"${it.name}" is compared with "${it.baseline}", which was not measured`);
    const ratio = base && ratioOf(it, base);
    const [low, high] = [quantile(it.values, 0.25), quantile(it.values, 0.75)];
    return { ...it, median, low, high, ratio, met: isMet(it.wanted, { median, ratio }) };
  });
}
