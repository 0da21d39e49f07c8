/** The limits of a console's store, and of consoles that share one: a part of `limits`, which is what everybody reads. */
export const storeLimits = {
  /** Keys are paths of a few names. */
  store_key_bytes_max: 1024,
  /** One write of a console's store; the largest single thing is a filter set. */
  store_write_bytes_max: 24 * 1024 * 1024,
  /** Entries in one page of a range read: a facility's nodes fit in one. */
  store_range_entries_max: 10_000,
  /** Writes that a store remembers for watchers that come back. */
  store_watch_writes_max: 10_000,
  /** ... and their keys and values together: who was away for longer reads anew what it watches. */
  store_watch_bytes_max: 8 * 1024 * 1024,
  /** One frame of a store service: the largest write, in base64, with its names. */
  store_frame_bytes_max: 40 * 1024 * 1024,
  /** The values of one page that a store service sends: a reader takes the next page, and nobody waits behind a huge frame. */
  store_page_bytes_max: 4 * 1024 * 1024,
  /** Operations in one write of a console's store: all nodes of a facility at once. */
  store_write_ops_max: 20_000,
  /** Connections to a store service: the consoles that share it, coming back before their old connections are noticed as gone. */
  store_connections_max: 32,
  /** What one console may have asked of a store service without an answer. */
  store_calls_open_max: 10_000,
  /** A store service that does not answer for so long is away: a console then stops, and another takes over. */
  store_answer_ms_max: 10_000,
  /** So long after its last sign of life a console of several is taken for dead, and another takes over. */
  turn_ms: 8000,
  /** How often the console whose turn it is says that it lives, and one that stands by looks. */
  turn_renew_ms: 2000,
  /** Consoles that share one store: the one that works and those that stand by. */
  console_instances_max: 8,
} as const;
