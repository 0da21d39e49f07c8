/** The node's two clocks. Pure parts never see this port: they receive `now`. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  wall(): number;
  /** Milliseconds since the machine started, suspended time included. Never goes back while the machine runs. */
  sinceBoot(): number;
}
