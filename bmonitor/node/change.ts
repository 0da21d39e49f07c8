import type { KeyRing } from '../keys/ring.js';
import type { StoreOp } from '../ports/store.js';
import type { NewSecret } from './decision.js';
import type { HistoryLine } from './history.js';
import type { KeptReceipt } from './receipts.js';
import type { RecordedReply } from './recorded.js';
import type { NodeState } from './state.js';

/** What is made durable in one step. */
export interface Change {
  readonly state: NodeState;
  readonly ring: KeyRing;
  /** Keys, leases, rosters or the salt are touched: write under a new G. */
  readonly renewG: boolean;
  readonly lines: readonly HistoryLine[];
  /** Leases whose data is carried over when their data key is replaced; that of others is destroyed with the old key. */
  readonly reencrypt?: readonly string[];
  readonly reply?: RecordedReply;
  /** Receipts of the change, for those who keep them. */
  readonly receipts?: readonly KeptReceipt[];
  readonly secrets?: readonly NewSecret[];
  /** What other keepers of the node's data write in the same step. */
  readonly more?: readonly StoreOp[];
}
