import type { Measurement } from './suite.js';

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
  /** Median over the baseline's median. */
  readonly ratio: number | undefined;
}

/** Medians with the middle half of the values, and ratios to the baselines of the same run. */
export function rowsOf(measurements: readonly Measurement[]): readonly Row[] {
  return measurements.map((it) => {
    const median = quantile(it.values, 0.5);
    const base = measurements.find(({ name }) => name === it.baseline);
    if (it.baseline !== undefined && base === undefined)
      throw new Error(`"${it.name}" is compared with "${it.baseline}", which was not measured`);
    const ratio = base === undefined ? undefined : median / quantile(base.values, 0.5);
    return { ...it, median, low: quantile(it.values, 0.25), high: quantile(it.values, 0.75), ratio };
  });
}
