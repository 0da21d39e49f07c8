/** What of a machine has health of its own. */
export const subjects = [
  'processors',
  'memory',
  'disks',
  'network',
  'buses',
  'power and fans',
  'clock',
] as const;
export type Subject = (typeof subjects)[number];

interface Of {
  readonly subject: Subject;
  /** What exactly was read, as `cpu0 computation` or `eth0 carrier`. */
  readonly item: string;
}

/** One thing that was read or tried, before anybody judges it. */
export type Reading =
  /** Tried out, with what came of it. */
  | (Of & { readonly kind: 'check'; readonly ok: boolean; readonly said: string })
  /** Counts faults: it is bad when it rises by more than what is allowed between two readings. */
  | (Of & { readonly kind: 'count'; readonly value: number; readonly allowed?: number })
  /** Has a limit of its own, as the machine names it. */
  | (Of & {
      readonly kind: 'level';
      readonly value: number;
      readonly unit: string;
      readonly most?: number;
      readonly least?: number;
    })
  /** The machine does not say, or has none. */
  | (Of & { readonly kind: 'absent'; readonly why: string });

export interface ItemHealth extends Of {
  readonly state: 'good' | 'bad' | 'unknown';
  readonly since_s: number;
  readonly reading: string;
  readonly limit?: string;
}

export interface SubjectHealth {
  readonly subject: Subject;
  readonly state: ItemHealth['state'];
  readonly items: readonly ItemHealth[];
}
