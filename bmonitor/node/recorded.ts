/** What was answered to a command that acted, so that asking again brings the same answer. */
export interface RecordedReply {
  readonly lease: string;
  readonly console: string;
  readonly jti: string;
  readonly commandDigest: string;
  readonly generation: number;
  readonly result: Readonly<Record<string, unknown>>;
}
