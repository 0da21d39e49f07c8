/** Limits of a console with many nodes and many callers; they are part of `limits`. */
export const consoleLimits = {
  /** Sessions of one person or program, beyond which its own oldest ends: browsers at some desks and a telephone. */
  sessions_per_name_max: 16,
  /** How often it is looked whether who listens to a stream of events still may: what was taken away ends within it. */
  api_stream_check_ms: 1000,
  /** Streams of events of one caller at once: pages in some windows, and programs. */
  api_streams_per_caller_max: 32,
  /** Refused calls of strangers that are written down in a minute; the rest is counted, so that nobody fills the disk. */
  audit_strangers_per_minute_max: 30,
  /** Connections to the API of one address, so that nobody holds all of them. */
  api_connections_per_source_max: 256,
  /** Failed logins of a name from all addresses together, before it rests for all of them. */
  login_failures_everywhere_max: 50,
  /** What a line of the audit says of its subject: some names. */
  audit_about_chars_max: 300,
  /** A store that needs longer for one small write has failed, for whoever waits for it. */
  ready_ms_max: 3000,
  /** Addresses of one node that a boundary names. */
  node_addresses_max: 64,
  /** Room that a disk which was full must have again before a store is opened on it: its log, and a table or two. */
  store_room_bytes_min: 1024 * 1024,
  /** Writes of a console's store that go to the disk together, when many wait for it. */
  store_writes_together_max: 256,
  /** Questions that a console asks of all its nodes together in a second: each costs as much as six signs of life. Of ten thousand nodes each has its turn in a hundred seconds. */
  questions_per_s_max: 100,
  /** Dials of all its nodes together in a second, when many are away: each costs a millisecond or two. */
  dials_per_s_max: 400,
  /** What a console takes in of one node in a second, and at once after a rest: the answers to some commands, and far more than events. */
  node_bytes_per_s: 1024 * 1024,
  node_burst_bytes: 8 * 1024 * 1024,
  /** Conversations that a console begins at once, each with private-key operations on both sides, and how long one may hold up the next. */
  conversations_opening_max: 24,
  conversation_opening_ms_max: 3000,
  /** How often a console looks whether its wall clock was set, and what is more than a time service corrects. */
  clock_look_ms: 1000,
  clock_jump_s_min: 5,
  /** A login link is for the one who asked for it, now. */
  login_link_ms_max: 120_000,
  /** Changes of nodes are gathered for this long before listeners are told: faster than a person sees. */
  gather_changes_ms: 100,
  /** How often the question whether a console can work reaches its disk. */
  ready_again_ms: 2000,
  /** Lines of the audit in one reply. */
  audit_page_lines_max: 1000,
} as const;
