import { customerLimits } from './customer-limits.js';
import { engineDiskLimits } from './engine-disk-limits.js';
import { engineLimits } from './engine-limits.js';
import { consoleLimits } from './console-limits.js';
import { networkLimits } from './network-limits.js';
import { recordLimits } from './record-limits.js';
import { storeLimits } from './store-limits.js';
import { tpmLimits } from './tpm-limits.js';

/**
 * Every limit of BMonitor and its consoles, with its unit last in the name and the reason above it.
 * No limit means no server: there is no value that stands for "unlimited".
 */
export const limits = {
  /** A frame must hold the largest filter set (100,000 filters of about 100 bytes, sealed and in base64url) and no more. */
  frame_bytes_max: 24 * 1024 * 1024,
  /** A configuration or filter file read from disk; as large as the largest command. */
  file_bytes_max: 16 * 1024 * 1024,
  /** Filters in one set: what was measured to stay flat in the kernel and to be proved in under half a second. */
  filters_per_set_max: 100_000,
  /** Peers, or ports, in one filter: a longer list is two filters. */
  list_entries_max: 4096,
  /** Peers times ranges of ports, over all filters of a set: a short text with long lists must not fill the memory. */
  filter_rectangles_per_set_max: 500_000,
  /** Disjoint boxes that one set compiles to: what the kernel's sets still take in a few seconds. */
  filter_boxes_per_set_max: 400_000,
  /** Overlapping pairs looked at while compiling: far above what 100,000 ordinary filters need, a second or two of work. */
  filter_overlaps_per_compile_max: 20_000_000,
  /** Rectangles made while sets are clamped or compared, those cut from one rectangle weighing more: about a second of work, far above what ordinary sets need. */
  region_rectangles_max: 1_000_000,
  /** Boxes shown of what a clamp cut off; how many there are is always said. */
  cut_boxes_max: 1000,
  /** Boxes in the answer to what the levels above let through: what fits into a reply. */
  passed_boxes_max: 50_000,
  /** A capture to be explained is read piece by piece; this bounds the time, not the memory. */
  capture_bytes_max: 16 * 1024 * 1024 * 1024,
  /** One packet of a capture: tcpdump's own largest snapshot length. */
  capture_packet_bytes_max: 262_144,
  /** Connections followed at once while a capture is explained: about what a busy server has, and half a gigabyte of memory. */
  capture_flows_max: 500_000,
  /** Refused tuples remembered while a capture is explained, so that a flood of them is judged once. */
  capture_settled_max: 100_000,
  /** Fragments that wait for their other parts; the kernel holds a few megabytes of them. */
  capture_fragments_max: 10_000,
  /** Kinds of refused packets told at once; how long alike ones are gathered; and the pause while they go on, so that a day of them fits among the events kept. */
  refused_events_max: 16,
  refused_gather_ms: 1000,
  refused_pause_ms: 10_000,
  /** A note is for a person to read. */
  note_chars_max: 200,
  /** Names of nodes, clusters, consoles. */
  name_chars_max: 63,
  /** Nesting of JSON that comes in: our deepest form has six levels; a stack overflow needs thousands. */
  json_depth_max: 32,
  /** How long a request may hold: long enough for a slow way, short enough that withheld traffic dies. */
  request_life_s_max: 120,
  /** How far ahead of the node a console's clock may be. */
  clock_ahead_s_max: 30,
  /** How old a nonce may be when it comes back. */
  nonce_age_ms_max: 60_000,
  /** A nonce is a moment, random bytes and a MAC over both. */
  nonce_bytes: 32,
  /** Depth of a chain of leases: four are ordinary (owner, hardware operator, software operator, user). */
  levels_max: 8,
  /** Consoles enrolled in one level. */
  consoles_per_level_max: 64,
  /** Consoles of others that the gateway lets through to one customer's nodes: sub-tenants, each with a few. */
  guests_per_customer_max: 64,
  /** A re-encryption marks how far it came when it has come so much further: each mark is a durable step, and an event. */
  reencrypt_mark_percent: 5,
  /** How often a console that replaces its own key tries the nodes that were not reached. */
  key_rotation_look_ms: 2000,
  /** How often it is looked how much was copied. */
  data_copy_look_ms: 500,
  /** Labels by which one level knows a node, and to which one key is limited: what a person can keep apart. */
  labels_per_node_max: 16,
  label_chars_max: 40,
  /** Keys that were ever enrolled in one lease, all of which are listed for its holder: more than an office changes in decades. */
  consoles_ever_enrolled_max: 1000,
  /** Entries of a history in one reply; and about how many characters of them, unless a single one is longer. */
  history_page_entries_max: 1000,
  history_page_chars_max: 2 * 1024 * 1024,
  /** Signatures of a history that are verified side by side: all processors have work, and what else asks for their threads waits no longer than for these. */
  history_signatures_at_once_max: 64,
  /** An envelope must leave room for its statement to come back in a page of the history, sealed once more. */
  envelope_chars_max: 23 * 1024 * 1024,
  /** How long the keys of an ended lease may wait before they are destroyed: a month. */
  destroy_after_s_max: 31 * 86_400,
  /** How long a change of filters may wait for its confirmation. */
  confirm_s_max: 600,
  /** The secret that is shown to keep a change: nobody guesses it. */
  keep_secret_bytes: 32,
  /** Filters added or removed in one change; more is a replacement. */
  filters_per_change_max: 10_000,
  /** The body of a call to a console's API: the largest is a filter set with its notes. */
  api_body_bytes_max: 24 * 1024 * 1024,
  /** How long a call may take to come in whole. */
  api_request_ms_max: 30_000,
  /** A connection to the API on which nothing comes. */
  api_connection_idle_ms_max: 60_000,
  /** Connections to the API: staff with some tabs each, and programs. */
  api_connections_max: 1024,
  /** Nothing sent for this long, and proxies and browsers would take a stream of events for dead. */
  api_stream_alive_ms: 15_000,
  /** What may wait for a listener that does not read; a snapshot of a facility fits. */
  api_stream_buffer_bytes_max: 16 * 1024 * 1024,
  /** Sessions of one console at once; beyond it the oldest ends. */
  sessions_max: 256,
  /** A session that nobody used for so long has ended: a shift. */
  session_idle_ms_max: 8 * 3_600_000,
  /** A session ends after this, used or not. */
  session_life_ms_max: 24 * 3_600_000,
  /** Login links that wait to be used. */
  login_links_max: 16,
  /** A passphrase is typed by a person, or is 64 random bytes in some notation. */
  passphrase_bytes_max: 512,
  /** Shorter ones are guessed from a copied key file, in spite of scrypt. */
  passphrase_bytes_min: 10,
  /** Passwords of people; stretched, and guessed only through an interface that counts. */
  password_bytes_min: 12,
  /** Passwords checked at once, at 128 MiB each, and logins that wait for that. */
  password_checks_max: 2,
  password_checks_waiting_max: 32,
  /** Failed logins in a row before a name rests, how long at first, and at most. */
  login_failures_max: 5,
  login_rest_ms: 60_000,
  login_rest_ms_max: 3_600_000,
  login_names_watched_max: 10_000,
  /** Between two steps of a login or an invitation: time to find the telephone. */
  login_ticket_ms_max: 10 * 60_000,
  login_tickets_max: 1024,
  login_tries_max: 10,
  /** An invitation reaches its person by another way, maybe after a weekend. */
  invitation_ms_max: 3 * 86_400_000,
  accounts_max: 1000,
  passkeys_per_account_max: 8,
  recovery_codes_count: 8,
  /** Tokens for programs, and how long one may hold. */
  tokens_max: 1000,
  token_days_max: 3660,
  /** A key with its certificate, in a backup. */
  key_file_bytes_max: 64 * 1024,
  /** What may wait in a WebSocket for a peer that reads slowly, before the sender has to wait. */
  socket_buffer_bytes_max: 1024 * 1024,
  /** How long a peer may take to close a WebSocket properly. */
  socket_closing_ms_max: 3000,
  /** How long a console waits for a reply: beyond the slowest command and the slowest way. */
  reply_ms_max: 20_000,
  /** The first dials of a console that starts are spread over this, so that it does not flood its own network. */
  dial_spread_ms_max: 1000,
  /** The wait after the first failed dial. */
  dial_first_ms: 200,
  /** The longest wait between dials: a node that is back is seen within it. */
  dial_again_ms_max: 15_000,
  /** How long engines may take to stop before the machine goes down: a database that writes back its memory. */
  drain_s_max: 3600,
  /** Between the notice and the act, at least: what was written is on its way to the consoles by then. */
  power_notice_s: 2,
  /** The light by which a machine is found: at most, and when nothing is said. */
  identify_s_max: 3600,
  identify_s: 60,
  /** A program that switches power or light; the service manager answers in well under a second. */
  power_tool_ms_max: 20_000,
  /** Between two rounds of all health probes: their cost is bounded by it, and a fault is seen within it. */
  health_every_ms: 60_000,
  /** Long commands at once on a node, and how many ended ones are remembered. */
  jobs_running_max: 4,
  jobs_kept_max: 32,
  /** Replies kept of a lease, for a console that asks again: many times what it can have under way. */
  replies_kept_max: 4096,
  /** Messages remembered against replay: what a node can open in the time that a message holds, and some. */
  seen_messages_max: 262_144,
  /** Messages that no honest console sends, before their source is cut off; and how fast they are forgiven. */
  source_faults_max: 32,
  source_faults_refill_per_s: 0.5,
  /** Sources remembered; a flood from more addresses forgets the oldest. */
  sources_remembered_max: 65_536,
  /** Requests of one source that wait for a private-key operation. */
  source_waiting_max: 64,
  /** Bytes of sealed messages of one source, and of all, that are held while they come in or wait: two of the largest, and some. */
  source_held_bytes_max: 48 * 1024 * 1024,
  held_bytes_max: 160 * 1024 * 1024,
  /** TLS handshakes of one source, each of which costs a private-key operation: at once, and how fast they may go on. */
  source_connections_burst_max: 256,
  source_connections_refill_per_s: 16,
  /** A connection that proved no console by then is closed, so that strangers cannot hold all of them. */
  unproven_connection_ms_max: 60_000,
  /** Requests of one connection under way at once; more wait in the connection. */
  requests_per_channel_max: 16,
  /** Private-key operations at once: they are done on the thread that does everything else (decision 0035). */
  private_operations_at_once_max: 1,
  /** Events that wait to be written; beyond it they are dropped, and the number of dropped ones is told. */
  events_waiting_max: 262_144,
  /** Writes of events kept for consoles that were away, and how many of them in memory. */
  event_blocks_kept_max: 8192,
  event_blocks_in_memory_max: 256,
  /** Bytes of a stream on their way that the other side has not acknowledged. */
  stream_window_bytes: 4 * 1024 * 1024,
  /** One frame of a stream: small enough to share a connection with others. */
  stream_frame_bytes_max: 256 * 1024,
  /** Streams open at once on one connection. */
  streams_per_channel_max: 64,
  /** A follower hears something at least so often, so that silence means something. */
  stream_alive_ms: 5_000,
  /** Notices under one signature, whose digests each console gets; what happened, in one of them, beyond which it is only counted; and its size when sealed. */
  notices_per_signature_max: 64,
  notice_lines_max: 64,
  notice_chars_max: 256 * 1024,
  /** The sealed proof that a node was handed on: two receipts and a key. */
  sold_chars_max: 64 * 1024,
  /** Consoles and leases that hear notices on one connection, seldom more than one; notices that a console opens there in a minute, each of which costs its private key; and those that it shows. */
  notice_listeners_per_channel_max: 4,
  notices_opened_per_minute_max: 60,
  notices_kept_max: 100,
  /** Between two signatures of notices, since a TPM takes tens of milliseconds; how long they give way to commands; how long a console that is refused waits for a last one; how often it is told where its history stands. */
  notices_rest_ms: 5_000,
  notices_patience_ms: 10_000,
  notices_parting_ms: 12_000,
  notices_checkpoint_ms: 600_000,
  /** How long before its end the holder of a lease is told: a working day, to have it extended or to carry things away. */
  lease_ending_s: 86_400,
  /** A connection must become one that speaks the protocol within this time. */
  handshake_ms_max: 10_000,
  /** A connection on which nothing comes is probed by the kernel after this time. */
  connection_keep_alive_ms: 60_000,
  /** The status on the machine itself: who asks at once, how long an answer may take, and how long it may be. */
  local_connections_max: 16,
  local_answer_ms_max: 5_000,
  local_answer_chars_max: 256 * 1024,
  /** Connections to a node: consoles, their spares, and gateways; and how many of them from one source. */
  connections_max: 1024,
  connections_per_source_max: 128,
  /** Pairs made ahead: a lease that is granted and taken at once uses two. */
  spare_pairs: 4,
  /** How often the node looks at the time: leases end within a second of it. */
  tick_ms: 500,
  /** So much of the time may be lost with the power, when the wall clock is set back then. */
  time_floor_s_max: 60,
  /** How often what could not be done to the machine is tried again. */
  retry_effects_ms: 2_000,
  /** How often a node without work collects memory that nobody holds: each time some 20 ms, and some hundred kilobytes. */
  idle_collection_ms: 300_000,
  /** What the store holds in memory beside its files, before a node without work sends it there: a quarter of an hour of writing down the time. */
  store_held_bytes_max: 256 * 1024,
  /** A node that used less of one processor had no work: by itself it uses a third of a percent. */
  idle_processor_percent_max: 2,
  /** Nodes of one customer in one facility, and addresses that one exception names. */
  cluster_nodes_max: 5000,
  exception_peers_max: 256,
  /** Nodes of one group of a console, and groups. */
  group_nodes_max: 5000,
  groups_max: 1000,
  /** Clusters, and exceptions between them. */
  clusters_max: 10_000,
  exceptions_max: 10_000,
  /** How long a node holds a new boundary on trial: long enough for the slowest node of a large facility to answer. */
  boundary_trial_s: 60,
  /** Boundaries pushed at once. */
  boundary_pushes_at_once_max: 256,
  /** How often nodes that are behind are looked at, beside whenever they say something. */
  boundary_settle_ms: 5_000,
  /** Nodes of one console: a large facility. */
  nodes_max: 20_000,
  /** How long opening a connection to a node or gateway may take. */
  dial_ms_max: 10_000,
  /** An answer of a console's daemon to its command line: the list of all nodes with their status. */
  api_answer_chars_max: 256 * 1024 * 1024,
  /** How long a console may take to stop cleanly before it ends anyway. */
  stop_ms_max: 5000,
  /** Receipts kept for each level: a few a month, for as long as hardware lives. */
  receipts_kept_max: 4096,
  /** How many of the newest receipts a console looks through for that of a lease that is gone. */
  receipts_looked_at_max: 64,
  /** Receipts in one reply; a page of them fits a frame. */
  receipts_page_max: 1000,
  /** A receipt is a signed statement of some lines. */
  receipt_chars_max: 16_384,
  /** What is written at once of a history that moves under another key; a single line may be longer. */
  journal_piece_bytes: 1024 * 1024,
  /** What is set aside for the files of one lease when the configuration does not say. */
  lease_directory_bytes: 4 * 1024 * 1024 * 1024,
  /** A smaller file system has no room for a journal, a larger one is not made in a moment. */
  lease_directory_bytes_min: 16 * 1024 * 1024,
  lease_directory_bytes_max: 64 * 1024 * 1024 * 1024 * 1024,
  /** A program that makes, mounts, opens or closes a directory: setting terabytes aside takes seconds. */
  data_program_ms_max: 60_000,
  /** Copying a whole directory at re-encryption: terabytes at the pace of a slow disk. */
  data_copy_ms_max: 7 * 24 * 3600 * 1000,
  /** How much of what a tool says is kept for the log. */
  tool_words_max: 2000,
  /** A DHCP packet in one Ethernet frame. */
  dhcp_packet_bytes_max: 1472,
  /** Nodes in one hand-over: a large customer's share of a facility. */
  leases_per_hand_over_max: 2000,
  /** Customers of one facility. */
  customers_max: 10_000,
  /** How often leases that wait for a node's answer are taken up again. */
  settle_leases_ms: 2000,
  /** Receipts that a console keeps of one lease: granted, taken, extended now and then, ended. */
  receipts_per_lease_max: 256,
  /** A follower acknowledges at once what comes to so many bytes, a quarter of a window ... */
  stream_ack_bytes_max: 1024 * 1024,
  /** ... or less than that, a thousandth of a window; signs of life wait for the next ones. */
  stream_ack_bytes_min: 4096,
  /** ... which then are acknowledged after this long, well before a window could be full at an ordinary pace. */
  stream_ack_ms_max: 250,
  /** A node whose answers say nothing new is shown anew at least so often, so that one sees when it answered last. */
  node_told_again_ms: 15_000,
  /** The last events of each node that a console shows. */
  node_events_kept_max: 100,
  /** Machines without a landlord that wait at a console, and how many of them from one source: a rack behind one address. */
  pairing_waiting_max: 512,
  pairing_per_source_max: 48,
  /** From the first code on: two people compare over the telephone, and a slow TPM makes its keys. */
  pairing_ms_max: 15 * 60 * 1000,
  /** Pairings that are over and still listed, so that their end can be read. */
  pairing_ended_kept_max: 64,
  /** A message of a pairing, and a statement in it: a card and the parts of a machine. */
  pairing_message_chars_max: 32_768,
  pairing_statement_chars_max: 30_000,
  /** Disks or interfaces that a machine tells of. */
  hardware_parts_max: 64,
  /** Engines of one lease: four times what was measured on a small machine. */
  engines_per_level_max: 800,
  /** Ranges of ids, interfaces and addresses for engines; more than there can be engines of all levels. */
  engine_slots_max: 4000,
  /** Words of a command line, variables and the longest of each: the kernel takes no longer ones. */
  engine_words_max: 256,
  engine_variables_max: 256,
  engine_text_chars_max: 32_768,
  /** Ports, probes, mounts and secrets of one engine. */
  engine_parts_max: 32,
  /** Files given with a description: settings, no data; they are held in memory while the engine runs. */
  engine_given_files_max: 16,
  /** Memory of an engine: an ordinary program does not start in less than the least, and no server has more than the most. */
  engine_memory_bytes_min: 4 * 1024 * 1024,
  engine_memory_bytes_max: 4 * 1024 * 1024 * 1024 * 1024,
  /** Thousandths of a processor: less than a hundredth stands still, and no server has a thousand processors. */
  engine_processor_thousandths_min: 10,
  engine_processor_thousandths_max: 1_024_000,
  /** Processes and threads of an engine: what one program needs at most. */
  engine_processes_max: 65_536,
  /** Open files of each process of an engine: programs ask for thousands, the kernel's own default is a million. */
  engine_files_max: 65_536,
  /** How long an engine may be given to end by itself: some write a lot down first. */
  engine_grace_s_max: 600,
  /** The wait before an engine is started again, which doubles with each end and begins anew after a good while. */
  engine_first_delay_ms: 100,
  engine_delay_ms_max: 60_000,
  engine_well_ms: 60_000,
  /** An engine that was killed and is not gone by then is reported; the kernel takes milliseconds. */
  engine_killed_ms_max: 10_000,
  /** A tool of the runtime that takes longer hangs. */
  engine_tool_ms_max: 30_000,
  /** How often it is looked whether what watches an engine still lives. */
  engine_look_ms: 1000,
  /** An archive of an image, its layers unpacked, its files, and the longest of its documents. */
  image_archive_bytes_max: 16 * 1024 * 1024 * 1024,
  image_bytes_max: 32 * 1024 * 1024 * 1024,
  image_entries_max: 1_000_000,
  image_document_bytes_max: 4 * 1024 * 1024,
  image_layers_max: 128,
  /** A path in an image: the kernel's own limit. */
  image_path_chars_max: 4096,
  /** Images stored for one lease. */
  images_per_lease_max: 256,
  /** An image that no engine uses is kept this long, so that it can be sent before the engine is described. */
  image_unused_ms_max: 3_600_000,
  ...engineDiskLimits,
  /** How often it is looked whether an engine wrote more, for who follows its log: faster than a person reads. */
  engine_log_look_ms: 200,
  /** A record of what goes through a door of an engine: a screenful, and a good piece of a file. */
  record_bytes_max: 64 * 1024,
  /** Commands inside engines, attached terminals and forwarded connections of a node at once: each costs a helper of a few megabytes. */
  engine_doors_max: 128,
  ...networkLimits,
  ...consoleLimits,
  ...engineLimits,
  ...customerLimits,
  ...recordLimits,
  ...tpmLimits,
  ...storeLimits,
  /** A line on an engine's own socket: a report with its trace, no file. */
  engine_line_bytes_max: 64 * 1024,
  /** Texts in such a line, so that they fit in it however they are escaped. */
  engine_words_chars_max: 8 * 1024,
  /** Lines that an engine may say in a second on one connection; beyond that it waits. */
  engine_lines_per_s: 200,
  /** Connections to an engine's own socket: its threads and processes that speak for themselves. */
  engine_interface_connections_max: 32,
  /** How long a thread or process may take to answer a question: longer, and it hangs. */
  engine_answer_ms_max: 5_000,
  /** Errors of one engine are told as events this far apart; all are counted. */
  engine_error_ms: 1_000,
} as const;
