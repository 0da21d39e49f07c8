/** What a file of this folder exports as `suite`, to be run by `npm run bench`. */
export interface BenchSuite {
  readonly name: string;
  /** One sentence for a person who reads the table. */
  readonly about: string;
  run(tools: BenchTools): Promise<readonly Measurement[]>;
}

export type Unit = 'ms' | 'us' | 'ns' | 'per_s' | 'MB_per_s' | 'bytes' | 'count' | 'MB' | 'percent';

export interface Measurement {
  readonly name: string;
  readonly unit: Unit;
  /** One value for each sample. The table shows their median and how far they lie apart. */
  readonly values: readonly number[];
  /** The name of the measurement of the same run that this one is compared with. */
  readonly baseline?: string;
  /** Each value was taken beside the baseline's of the same place: the ratio is the median of theirs. */
  readonly paired?: boolean;
  readonly wanted?: Wanted;
}

/** What the figure should come to: of the median, or of the ratio to the baseline. */
export interface Wanted {
  readonly of: 'median' | 'ratio';
  readonly at: 'most' | 'least';
  readonly value: number;
}

export interface BenchTools {
  /** True when a person only wants to see that it runs: fewer samples, smaller sizes. */
  readonly quick: boolean;
  /** How long to watch, for a suite that watches; each has a default of its own. */
  readonly minutes?: number;
  /** Which parts to measure, for a suite that has parts; absent: all. */
  readonly parts?: readonly string[];
  /** Times a function, in milliseconds for each of its runs; `warmup` runs are not counted. */
  time(
    run: () => unknown,
    options?: { readonly samples?: number; readonly warmup?: number },
  ): Promise<readonly number[]>;
}
