/** The limits of engines' probes, secrets and messages: a part of `limits`, which is what everybody reads. */
export const engineLimits = {
  /** A secret of engines: a key, a password, a certificate with its chain. */
  engine_secret_bytes_max: 16 * 1024,
  /** Secrets that one level keeps for its engines. */
  secrets_per_level_max: 256,
  /** Probes of one engine: one for each port and thread that matters. */
  engine_probes_max: 8,
  /** Times of a probe: what fails for an hour is not found out by waiting longer. */
  engine_probe_s_max: 3_600,
  engine_probe_times_max: 100,
  /** A command in an engine costs the runtime some 50 ms of a processor: not more often than this, and not more of them at once. */
  engine_probe_command_s_min: 10,
  engine_probe_commands_at_once_max: 2,
  /** Before an engine is known to be well it is looked at this often: updates wait for it. */
  engine_probe_first_ms: 1_000,
  /** What is read of an answer to a probe, and how much of it is shown. */
  engine_probe_bytes_max: 64 * 1024,
  engine_probe_words_max: 200,
  /** Connections inside engines that BMonitor has open at once, for probes and for messages each. */
  engine_inner_sockets_max: 256,
  /** How often it is looked whether the kernel ended a process of an engine for its memory, while the engine goes on. */
  engine_oom_look_ms: 5_000,
  /** How long a message from engine to engine may take: less than a question may, so that who is asked can say that it failed. */
  engine_message_ms_max: 3_000,
  /** Messages of one engine that are under way at once, and how many it may send in a second. */
  engine_messages_at_once_max: 32,
  engine_messages_per_s: 100,
  /** Connections that are taken in a second for the messages of one engine: a few neighbours at their most. */
  engine_connections_per_s: 300,
  /** A message as it travels, sealed. */
  engine_message_bytes_max: 48 * 1024,
  /** How old a message may be when it arrives, by the clocks of both nodes; ids of younger ones are remembered. */
  engine_message_age_ms_max: 60_000,
  engine_message_ids_max: 65_536,
  /** Engines of a node that take messages: each has a port that is listened on. */
  engine_mailboxes_max: 256,
  /** What an engine may ask of BMonitor at once on one connection. */
  engine_asks_at_once_max: 32,
  /** What of the machine's memory is left to the kernel, BMonitor and the rest when engines ask for more. */
  engine_memory_left_bytes: 512 * 1024 * 1024,
} as const;
