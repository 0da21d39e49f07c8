import type { Result } from '../../protocol/result.js';

/**
 * The kernel's packet filter, seen from the node. A program is what should stand in the kernel, whole; how to get there
 * from what stands there now without a moment open is the business of who implements this port.
 *
 * INVARIANTS:
 * - `apply` resolves when the kernel enforces the program, not before. It can be run again with the same program at any
 *   time, also after a crash in the middle of it, and then changes nothing that counts.
 * - While `apply` runs, each packet is judged by the program before or by the one after, never by neither.
 * - A flow that was let through by an earlier program and is not by this one is cut when `apply` resolves.
 * - When `apply` refuses, the program before it stands.
 * - Calls run one after the other, in the order they were made.
 */
export interface Firewall {
  /** Works out how to get to a program that will be applied next. Nothing happens, and nothing is lost if it never is. */
  workOut(program: FirewallProgram): void;
  apply(program: FirewallProgram): Promise<Result<Applied>>;
  /** Compares what the kernel holds with the last program, and repairs it if it differs. */
  readBack(): Promise<Result<ReadBack>>;
  /** What the last comparisons of the kernel with the last program came to; they go on by themselves. */
  readonly comparisons: Comparisons;
  counters(): Promise<Result<FirewallCounters>>;
  /** Packets and bytes of living flows, by the kernel's own accounting, both ways together. */
  flows(): Promise<Result<readonly CountedFlow[]>>;
  /** Sends packets that should be refused, and says of each whether the kernel refused it. */
  probe(canaries: readonly Canary[]): Promise<readonly CanaryOutcome[]>;
  /** Refused packets as the kernel reports them, with its limit on rate; ends when the firewall is closed. */
  refused(): AsyncIterable<RefusedPacket>;
  /** What happens to the tables without our doing. Ends when the firewall is closed. */
  events(): AsyncIterable<FirewallEvent>;
  /** Lets go of the kernel and leaves everything in place: who stops BMonitor does not open the node. */
  close(): Promise<void>;
}

/** How the kernel judges, as plain data. `bmonitor/filters/nft/` makes it from a plan. */
export interface FirewallProgram {
  readonly tables: readonly ProgramTable[];
}

export interface ProgramTable {
  readonly family: 'inet' | 'arp' | 'bridge';
  /**
   * A second net behind the tables of the same family, which another program's `flush ruleset` does not remove: it lets
   * through only what they stamped, and what nothing may close.
   */
  readonly latch?: true;
  readonly chains: readonly ProgramChain[];
  readonly maps: readonly ProgramMap[];
  /** Named counters, which keep counting when the rules around them are replaced. */
  readonly counters: readonly string[];
}

export interface ProgramChain {
  readonly name: string;
  /** Only base chains have one. A base chain is made once and never made anew, because that leaks for a moment. */
  readonly hook?: { readonly type: 'filter'; readonly hook: string; readonly priority: number };
  /**
   * Rules in nft's language. `@{name}` stands for the map of that name, `$full`, `$local` and `$answer` for the marks of
   * the present epoch, `$mask` and `$keep` for the bits of the connection mark that are ours and those that are not, `$passed` for our bit of
   * the packet's mark, `$leastFull` and `$leastLocal` for those marks in the very first epoch.
   */
  readonly rules: readonly string[];
  /** Its rules follow when those of all others have taken hold. */
  readonly late?: true;
}

export interface ProgramMap {
  readonly name: string;
  /** `ipv4_addr . inet_proto . inet_service` and the like, or `typeof` and what in a packet it is compared with. */
  readonly key: string;
  /** `verdict` makes a map; without it, it is a set. */
  readonly verdicts: boolean;
  readonly ranges: boolean;
  readonly counted: boolean;
  /**
   * A packet may look in several maps one after the other. Those of one word are changed so that it never sees one as it
   * was and the next as it is.
   */
  readonly together?: string;
  /** A set of marks of the present epoch: its keys are `$full`, `$local` and `$answer`, and become others with every epoch. */
  readonly marks?: true;
  /** Key in nft's language to verdict (empty in a set). Keys never overlap. */
  readonly elements: ReadonlyMap<string, string>;
  /** How these elements differ from others: spares the comparison of large maps that hardly differ. */
  readonly change?: ElementChange;
}

export interface ElementChange {
  readonly from: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
  readonly added: readonly (readonly [key: string, verdict: string])[];
}

export interface Applied {
  /** Raised whenever something that passed before might not pass any more. */
  readonly epoch: number;
  readonly added: number;
  readonly removed: number;
  /** Maps whose elements are counted were filled anew, and count from nothing. */
  readonly recounted: boolean;
}

export interface ReadBack {
  readonly differed: readonly string[];
  readonly repaired: boolean;
}

/** Times are the wall clock's, in milliseconds; undefined: not yet. */
export interface Comparisons {
  /** Tables, chains, rules, and that all maps are there. */
  readonly rulesAt?: number;
  /** The elements of every map, too. */
  readonly elementsAt?: number;
  /** The last time that something differed, and what. */
  readonly differed?: { readonly at: number; readonly what: readonly string[] };
}

export interface FirewallCounters {
  /** Map name to key to what it judged: the first packets of connections, or refused packets. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, CountedElement>>;
  /** The program's named counters. */
  readonly named: ReadonlyMap<string, CountedElement>;
  /** Wall clock, milliseconds. */
  readonly since: number;
}

export interface CountedElement {
  readonly packets: number;
  readonly bytes: number;
}

export interface CountedFlow {
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface RefusedPacket {
  /** Why, in the word of the program's rule that logged it: `filter 0` (the level), `foreign`, `spoofed`, `invalid`, `closed`, `quarantine`. */
  readonly reason: string;
  readonly direction: 'in' | 'out' | 'forward';
  readonly at: number;
  /** From the network header on; may be cut. */
  readonly packet: Uint8Array;
}

/** A packet that should not get out: UDP, the first of a TCP connection, or an ICMP echo request. */
export interface Canary {
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly address: string;
  /** 0 where the protocol has none. */
  readonly port: number;
}

/** `unsent`: there was no way to that address, so it shows nothing. */
export type CanaryFate = 'refused' | 'passed' | 'unsent';

export interface CanaryOutcome extends Canary {
  readonly fate: CanaryFate;
}

export type FirewallEvent =
  | { readonly kind: 'altered'; readonly what: readonly string[]; readonly repaired: boolean }
  | { readonly kind: 'repair-failed'; readonly detail: string }
  | { readonly kind: 'old-kernel'; readonly version: string };
