/** One line of the error catalogue: what a person reads at three in the morning. */
export interface ErrorEntry {
  /** What happened, in one sentence. */
  readonly what: string;
  /** Why BMonitor does not go on. */
  readonly why: string;
  /** What to do now. */
  readonly todo: string;
}

export type Catalogue = Readonly<Record<string, ErrorEntry>>;
