import type { PublicJwk } from '../../crypto/rsa.js';
import type { PowerAct } from '../../protocol/power.js';
import type { ConsoleKey, ConsoleWay, Right } from '../../protocol/commands.js';
import type { HistoryHead } from '../../protocol/request.js';
import type { LeaseStatus } from '../authority/table.js';
import type { Engine } from './engine-state.js';
import type { FilterState } from './filter-state.js';
import type { KeptSecret } from './secret-state.js';
import type { Approval } from './measurement.js';

/**
 * What the node is, as far as it can be said without a secret: which keys there are is here by name, the keys themselves are in
 * the key ring. A state is never changed in place: `decide` makes the next one, the journal makes it durable.
 */
export interface NodeState {
  readonly v: 1;
  /** Rises by one with each change. */
  readonly generation: number;
  readonly name: string;
  /** The chain, landlord first. There is always a landlord. */
  readonly levels: readonly [Level, ...Level[]];
  readonly quarantine?: { readonly reason: string; readonly since_s: number };
  /** Where the landlord's consoles are that no filter may cut off. Absent: where the configuration says. */
  readonly ways?: ConsoleWays;
  /** What the levels approved that the machine may measure at its next start. */
  readonly approval?: Approval;
  /** The last measurement that was approved and then measured. */
  readonly measuredAs?: string;
  /** Who was landlord before the one that there is now. */
  readonly formerly?: Formerly;
  readonly jobs: readonly Job[];
  /** Time never falls below this again, whatever the wall clock says. */
  readonly timeFloor_s: number;
  /** All seconds by which the time was ever stepped ahead on a console's word, beyond what the machine's own clock saw pass. */
  readonly stepped_s?: number;
}

/**
 * What is left of a landlord that handed the node on. Its keys are gone, so no answer can be sealed under them; who asks under its old pair,
 * because the answer was lost on the way, gets what was signed of it, sealed to the consoles that it concerns.
 */
export interface Formerly {
  readonly lease: string;
  /** Thumbprints of the pairs that sealed to it. */
  readonly pairs: readonly string[];
  /** The console that handed the node on, and the first one of who took it. */
  readonly told: readonly PublicJwk[];
  /** Thumbprint of the first console of who took it: the one to whom the levels below agreed. */
  readonly holder: string;
  /** The U with which who took it began. */
  readonly key: PublicJwk;
  readonly receipts: readonly string[];
}

export interface Level {
  readonly lease: string;
  readonly status: LeaseStatus;
  readonly rights: readonly Right[];
  /** Absent for the landlord, whose hold has no end. */
  readonly term?: Term;
  /** The pair whose public half seals to this level. */
  readonly pair: PairName;
  /**
   * The pair before, when a command replaced it: it opens that command again and nothing else, so that a console whose answer was lost on the
   * way can have it once more. The first message under the new pair shows that the answer arrived, and destroys it.
   */
  readonly previous?: PairName;
  /** The symmetric key of the level, when it has one. */
  readonly symmetric?: string;
  readonly roster: readonly Enrolled[];
  /** Every key that was ever enrolled in this lease, so that its holder can see that nobody else's was. */
  readonly everEnrolled: readonly string[];
  /** The words by which the level knows this node. */
  readonly labels?: readonly string[];
  readonly filters: FilterState;
  /** The newest version of the filters is undone unless it is confirmed in time. */
  readonly waiting?: WaitingFilters;
  readonly history: HistoryMark;
  /** Rises when the data key of the lease is replaced: what rests under the old one stands elsewhere. */
  readonly epoch: number;
  /** The highest epoch that a re-encryption ever wrote under, whether or not it came to its end: no other data key gets that place. */
  readonly reserved?: number;
  /** What the level agreed to that another level may do with the keys its data rests under. */
  readonly consents?: readonly Consent[];
  /** The level chose that its K is only opened by a share that its console sends after each start. */
  readonly shared?: true;
  /** How many receipts were ever kept for the level. */
  readonly receipts: number;
  /** The engines that the level described. */
  readonly engines?: readonly Engine[];
  /** Folders that were removed by a command and may be there still, by the digest of their names: names rest under the data key. */
  readonly goingFolders?: readonly string[];
  /** What its engines may be given. */
  readonly secrets?: readonly KeptSecret[];
}

/** A level's signed word that another may replace a key above its data and keep the data: used once. */
export interface Consent {
  /** The lease of the level that may. */
  readonly to: string;
  readonly act: 'rotate' | 'transfer';
  /** For a transfer: the thumbprint of the new holder's first console. */
  readonly holder?: string;
}

export interface Term {
  readonly until_s: number;
  readonly destroyAfter_s: number;
  /** `stepped_s` of the node when the end was set: steps before that are none of this lease's. */
  readonly stepped_s?: number;
  /** When it went dark, by its own time: from there on counts what is left until its keys are destroyed. */
  readonly dark_s?: number;
}

/** The end of a lease as it is set now. */
export function termOf(state: NodeState, until_s: number, destroyAfter_s: number): Term {
  const { stepped_s } = state;
  return { until_s, destroyAfter_s, ...(stepped_s === undefined ? {} : { stepped_s }) };
}

/** The time of a lease by the machine's own clock alone, since its end was set: without the steps that a console's word made. */
export function ownTime_s(state: NodeState, term: Term, now_s: number): number {
  return now_s - ((state.stepped_s ?? 0) - (term.stepped_s ?? 0));
}

export interface PairName {
  readonly id: string;
  readonly jwk: PublicJwk;
}

export interface Enrolled extends ConsoleKey {
  /** Thumbprint of the key. */
  readonly id: string;
  /** The id of its last command that changed something: what `after` is compared with. */
  readonly last?: string;
}

export interface HistoryMark {
  readonly head: HistoryHead;
  /** The first entry that is still kept. */
  readonly first: number;
  /** What is kept, oldest first, in pieces of some entries. */
  readonly pieces?: readonly HistoryPiece[];
}

export interface HistoryPiece {
  /** The number of its last entry. */
  readonly last: number;
  readonly bytes: number;
}

export interface ConsoleWays {
  readonly consoles: readonly string[];
  readonly waiting?: {
    /** Only the console that asked can confirm. */
    readonly console: string;
    readonly undoAt_s: number;
    /** Absent: the configuration's. */
    readonly before?: readonly string[];
  };
}

/** Each level has its own: nobody's unconfirmed change holds up another level. */
export interface WaitingFilters {
  /** Only the console that asked can confirm: it is the one that could have been cut off. */
  readonly console: string;
  readonly undoAt_s: number;
  readonly before: FilterState;
  /** The way of the asking console, where what stood before let it through: then undoing opens nothing else. */
  readonly way?: ConsoleWay;
}

export type JobKind = 'history.verify' | 'keys.reencrypt' | `hardware.${PowerAct | 'identify'}`;

export interface Job {
  readonly id: string;
  /** The id of the command that began it: the log tells its life by it. */
  readonly jti?: string;
  readonly kind: JobKind;
  readonly level: number;
  readonly lease: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  /** How far it came: survives a restart, and the job goes on from here. */
  readonly done: number;
  readonly total: number;
  /** What the job carries from step to step, and in the end what it found. */
  readonly note: string;
  readonly power?: PowerJob;
  readonly light?: { readonly on: boolean; readonly seconds: number };
  /** For a re-encryption: the place of the next data key. */
  readonly epoch?: number;
}

/** What was told to every level: what happens, why, and when. */
export interface PowerJob {
  readonly act: PowerAct;
  readonly reason: string;
  readonly at_s: number;
  /** The start of the machine in which it was ordered: in another one it has happened. */
  readonly orderedIn?: string;
}

export const noEntry = 'A'.repeat(43);

export const emptyHistory: HistoryMark = { head: { seq: 0, digest: noEntry }, first: 1 };

/** An undo that waits is void: it would restore a set that was weighed under another state. */
export function withoutWaiting(level: Level): Level {
  const { waiting: _void, ...rest } = level;
  return rest;
}

export function lastLevel(state: NodeState): number {
  return state.levels.length - 1;
}

export function replaceLevel(state: NodeState, index: number, level: Level): NodeState {
  const levels = state.levels.map((old, at) => (at === index ? level : old));
  return { ...state, levels: levels as [Level, ...Level[]] };
}

/** A place that no data key of the lease ever had. */
export function nextEpoch({ epoch, reserved }: Pick<Level, 'epoch' | 'reserved'>): number {
  return Math.max(epoch, reserved ?? 0) + 1;
}

/** The re-encryption of a lease that is under way. */
export function reencryptionOf({ jobs }: Pick<NodeState, 'jobs'>, lease: string): Job | undefined {
  return jobs.find((job) => job.kind === 'keys.reencrypt' && job.lease === lease && job.state === 'running');
}

/** The labels to which a key is limited and which its level did not give this node. Empty: it speaks here. */
export function outOfScope(
  { labels }: Pick<Level, 'labels'>,
  { nodes }: Pick<Enrolled, 'nodes'>,
): readonly string[] {
  return (nodes ?? []).filter((label) => !labels?.includes(label));
}

/** Who can always put a level in order: no label stands between its key and the node. */
export function isFullAdministrator({ role, nodes }: Pick<Enrolled, 'role' | 'nodes'>): boolean {
  return role === 'administrator' && nodes === undefined;
}

/**
 * What a level may do just now. `engines` and `volumes` are handed over while a lease below runs; `boundaries` and `keys` act
 * on the level's own things, so that both hold them.
 */
export function rightsNow(state: NodeState, index: number): readonly Right[] {
  const level = state.levels[index];
  if (!level) return [];
  const below = state.levels[index + 1];
  return level.rights.filter(
    (right) => !(below && (right === 'engines' || right === 'volumes') && below.rights.includes(right)),
  );
}
