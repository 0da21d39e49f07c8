/** What a TPM is asked for, and what a console believes of one: part of limits.ts. */
export const tpmLimits = {
  /** Registers in one policy: tpm2_policypcr takes no more. */
  tpm_registers_max: 8,
  /** A TPM answers in tens of milliseconds; making a key takes a few seconds on a slow one. */
  tpm_tool_ms_max: 60_000,
  /** What a console accepts that a machine measures: the present, and a few updates before. */
  measurements_accepted_max: 8,
  /** Sessions with the TPM that are made ready before they are needed: what one command with receipts uses in a row. */
  tpm_sessions_kept_max: 3,
  /** A TPM refuses to save more sessions once one lies there that is many savings older than the newest: some allow only 255. */
  tpm_session_life_ms_max: 60 * 60 * 1000,
  /**
   * How long nothing is asked of the TPM before something is done ahead. A command signs, writes to the disk, writes G and then sets filters: what is
   * done ahead shall come between none of these.
   */
  tpm_session_rest_ms: 200,
  /** Between two things that are done ahead, so that a command that comes waits for one at most. */
  tpm_session_pause_ms: 10,
} as const;
