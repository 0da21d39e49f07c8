import type { Secret } from '../../crypto/secret.js';
import type { Command } from '../../protocol/commands.js';
import type { Result } from '../../protocol/result.js';
import type { KeyChange } from '../keys/ring.js';
import type { ReceiptDraft } from './receipts.js';
import type { KeptSecret } from './secret-state.js';
import type { NodeState, PairName } from './state.js';

/** A command as it comes out of the seal: who says it is proved, whether it may is not yet. */
export interface Request {
  readonly level: number;
  /** The lease it was said to: a command that waited must not act on the lease that came after. */
  readonly lease: string;
  /** Thumbprint of the console's key. */
  readonly console: string;
  readonly jti: string;
  readonly command: Command;
  /** The signed statement, which goes into the history. */
  readonly statement: string;
  /** It carries a nonce that the node gave. */
  readonly provenNew: boolean;
  /** From where the connection came that brought it: an address, or what a gateway calls the console. */
  readonly source?: string;
}

/** Everything that a pure function must be given: the time, and names that nobody can foresee. */
export interface Given {
  /** The node's time: the wall clock, never below the floor. */
  readonly now_s: number;
  /** Names for new things, each used once. */
  readonly newId: () => string;
  /** What the machine measured when it started; absent: nothing is measured. */
  readonly measured?: string;
  /** The next pair made ahead. */
  readonly sparePair?: PairName;
  /** Leases whose data cannot be opened, because a share is outstanding. */
  readonly locked: ReadonlySet<string>;
  /** Ports on which BMonitor itself listens, as `tcp 7443`: a port that led to an engine would take them away. */
  readonly ownPorts?: ReadonlySet<string>;
  /** Addresses of the node that engines may have as their own. */
  readonly engineAddresses?: ReadonlySet<string>;
  /** The secret of engines that came with the command, taken out of its seal. */
  readonly secret?: Secret;
  /** The shares that came with the command, taken out of their seal. */
  readonly shares?: { readonly share?: Secret; readonly old?: Secret };
  /** Does this share open this K as it rests? */
  readonly shareOpens: (id: string, share: Secret | undefined) => boolean;
}

/** What must be done to the machine. Each can be done again at any time: it makes the machine match the state. */
export type Effect =
  /** Puts the filters of the state into the kernel. */
  | { readonly kind: 'enforce-filters' }
  /** Opens, closes and destroys the directories of the leases as the state says. */
  | { readonly kind: 'settle-directories' }
  /** Starts and ends engines until what runs is what is wanted. */
  | { readonly kind: 'run-engines' }
  /** Destroys a folder of a lease, by the digest of its name, while the state says that it is to go. */
  | { readonly kind: 'remove-folder'; readonly lease: string; readonly folder: string }
  /** Makes the TPM accept what the levels approved, and nothing else. */
  | { readonly kind: 'settle-measurement' }
  /** Goes on with a long command. */
  | { readonly kind: 'run-job'; readonly job: string };

/** What consoles that follow are told. `to` is the levels that may know. */
export interface NodeEvent {
  readonly to: readonly number[];
  readonly kind: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/**
 * Who else, besides the level itself, was touched. A level above sees the digest of a command; a level below sees the whole command when it
 * is about its own lease, and only its name when it tells of the asker's own business.
 */
export interface Touched {
  readonly level: number;
  readonly sees: 'statement' | 'name';
}

export interface NewSecret {
  readonly lease: string;
  readonly kept: KeptSecret;
  readonly value: Secret;
}

export interface Decision {
  readonly state: NodeState;
  readonly keys: readonly KeyChange[];
  /** Secrets of engines that begin to rest here. */
  readonly secrets: readonly NewSecret[];
  readonly effects: readonly Effect[];
  readonly events: readonly NodeEvent[];
  readonly touched: readonly Touched[];
  /** Leases whose data goes on under a new data key, as it was encrypted anew ahead; the data of others that get one is destroyed. */
  readonly reencrypt: readonly string[];
  /** What the node signs a receipt of. */
  readonly receipts: readonly ReceiptDraft[];
  readonly result: Readonly<Record<string, unknown>>;
  /** It lets through, or lets do, what was not before: then it must be provably new. */
  readonly loosens: boolean;
}

/** A decision that changes nothing but what it is given. */
export function decided(state: NodeState, more: Partial<Omit<Decision, 'state'>> = {}): Decision {
  return {
    state,
    keys: [],
    secrets: [],
    effects: [],
    events: [],
    touched: [],
    reencrypt: [],
    receipts: [],
    result: {},
    loosens: false,
    ...more,
  };
}

/** A request with its command narrowed to one kind. */
export type RequestOf<T extends Command['type']> = Request & {
  readonly command: Extract<Command, { type: T }>;
};

export type Decide<T extends Command['type']> = (
  state: NodeState,
  request: RequestOf<T>,
  given: Given,
) => Result<Decision>;
