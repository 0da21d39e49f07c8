/** The limits of what engines write: a part of `limits`, which is what everybody reads. */
export const engineDiskLimits = {
  /** One file of an engine's log: what a person searches through. When it is full, another is begun. */
  engine_log_bytes_max: 8 * 1024 * 1024,
  /** All files of an engine's log that are kept: what a noisy program writes in some minutes. */
  engine_logs_bytes_max: 64 * 1024 * 1024,
  /** A file that nobody put aside, because BMonitor is away: beyond that it is begun anew, and what was in it is lost. */
  engine_log_alone_bytes_max: 256 * 1024 * 1024,
  /** What an engine may write into its layer and its log: room for a small service, and less than a lease has by default. */
  engine_disk_bytes_min: 16 * 1024 * 1024,
  engine_disk_bytes_max: 64 * 1024 * 1024 * 1024 * 1024,
  /** How often it is looked whether engines wrote much, how much makes it worth counting, and what a file without bytes counts. */
  engine_disk_look_ms: 500,
  engine_disk_counted_bytes: 8 * 1024 * 1024,
  engine_disk_file_bytes: 4096,
  /** How often logs are looked at whether they are full: those that grow fast, and all. */
  engine_log_full_look_ms: 50,
  engine_log_quiet_look_ms: 500,
} as const;
