/** What was read from a machine, before anybody judges it. Absent: the machine does not say. */
export interface MachineReadings {
  /** Of uname, as 6.1.0-31-amd64. */
  readonly kernel?: string;
  readonly nft?: string;
  readonly tpm?: 'tpm2' | 'tpm1' | 'none';
  readonly ipmi?: boolean;
  readonly watchdog?: boolean;
  /** Which programs that run engines are there. */
  readonly engineTools?: readonly ('runc' | 'crun' | 'conmon')[];
  readonly cgroups?: 'v2' | 'v1' | 'hybrid' | 'none';
  /** Of the kernel's own clock discipline (adjtimex); several are possible. */
  readonly clockSynchronised?: boolean;
  readonly swaps?: readonly { readonly name: string; readonly encrypted: boolean | undefined }[];
  readonly corePattern?: string;
  /** Which of the tools that BMonitor calls are there. */
  /** What is lacking for directories that the kernel encrypts. */
  readonly lackingForFiles?: readonly string[];
  /** By what the kernel encrypts files, as it names it. */
  readonly fileCipher?: string;
  readonly tools: Readonly<Record<string, boolean>>;
  readonly debianNftablesService?: 'enabled' | 'disabled';
  readonly secureBoot?: boolean;
  /** The registers of the TPM into which this start has measured something. */
  readonly measured?: readonly number[];
}

export type Verdict = 'ok' | 'weak' | 'missing' | 'unknown';

/** One line of `bmonitor doctor`. */
export interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly says: string;
  /** What to do, where there is something to do. */
  readonly todo?: string;
}
