/** What a node keeps of what happened: part of limits.ts. */
export const recordLimits = {
  /**
   * What the history of one level may take on the disk: a hundred thousand ordinary commands, or a dozen of the largest sets. From how much on its holder is
   * warned; up to how much levels below may fill it, so that an upper one can still command; and of how much together the size is remembered.
   */
  history_bytes_max: 256 * 1024 * 1024,
  history_warned_bytes: 192 * 1024 * 1024,
  history_for_lower_bytes_max: 224 * 1024 * 1024,
  history_piece_bytes: 4 * 1024 * 1024,
  /** An exported history: what a node keeps, spelled as JSON. */
  history_file_bytes_max: 384 * 1024 * 1024,
  /** What the events of one lease may take on the disk; beyond it the oldest go, and followers are told of the gap. */
  event_bytes_max: 64 * 1024 * 1024,
} as const;
