/** Limits of the customer's console alone; `limits.ts` takes them in. */
export const customerLimits = {
  /** Of the histories that a console fetches: entries kept of each lease, some years of an ordinary one; their outcomes as text; gaps; times at which the console was on; entries that one call shows; how often it notes that it is on; nodes asked at once, and how soon again. */
  past_entries_kept_max: 50_000,
  past_outcome_chars_max: 300,
  past_gaps_kept_max: 100,
  past_presences_kept_max: 400,
  past_shown_max: 10_000,
  past_presence_ms: 60_000,
  past_fetches_at_once_max: 8,
  past_again_ms: 15_000,
  /** After the first of several saves, so that a whole set of files is built once; and how long what was built may take to run. */
  dev_gather_ms: 300,
  dev_started_ms_max: 60_000,
  /** A store of the operating system may ask its owner to unlock it first. */
  key_store_ms_max: 60_000,
  /** How often a rolling update looks whether an engine is well, and how many rolls a console remembers. */
  roll_look_ms: 200,
  rolls_kept_max: 100,
} as const;
