import type { Decision } from './decision.js';
import { digestOf } from '../../crypto/bytes.js';
import { signBy, utf8 } from '../../crypto/jose.js';
import type { Signer } from '../../crypto/signer.js';
import { limits } from '../../protocol/limits.js';
import {
  receiptTyp,
  type EndReason,
  type KeyName,
  type Receipt,
  type ReceiptAct,
} from '../../protocol/receipt.js';
import type { KeyChange } from '../keys/ring.js';
import type { Request } from './decision.js';
import type { NodeState } from './state.js';

/** What a decision has to say in a receipt. `to` is the levels of the next state that keep a copy. */
export interface ReceiptDraft {
  readonly to: readonly number[];
  readonly act: ReceiptAct;
  readonly level: number;
  readonly lease: string;
  readonly keys: readonly KeyChange[];
  readonly reason?: EndReason;
  readonly until_s?: number;
  readonly holder?: string;
}

export interface Receiving {
  readonly identity: Signer;
  readonly keyStore: 'tpm' | 'file';
  readonly generation: number;
  readonly time_s: number;
  readonly name: string;
  /** Absent: the node acts by itself. */
  readonly request?: Request;
}

/** A receipt as it is kept: in the record of a level, under its number there. */
export interface KeptReceipt {
  readonly lease: string;
  readonly number: number;
  readonly jws: string;
  /** The oldest one, which has to make room. */
  readonly drops?: number;
}

/** Signs what happened. It is called before the change is made durable, so that no change is ever without its receipt. */
export async function signReceipts(
  drafts: readonly ReceiptDraft[],
  by: Receiving,
): Promise<readonly string[]> {
  const signed: string[] = [];
  for (const draft of drafts) {
    const receipt = utf8(JSON.stringify(receiptOf(draft, by)));
    signed.push(await signBy(by.identity, { typ: receiptTyp, kid: by.identity.public.id }, receipt));
  }
  return signed;
}

function receiptOf(draft: ReceiptDraft, by: Receiving): Receipt {
  const { request } = by;
  return {
    v: 1,
    kind: 'receipt',
    act: draft.act,
    node: by.identity.public.id,
    keyStore: by.keyStore,
    name: by.name,
    generation: by.generation,
    time: by.time_s,
    level: draft.level,
    lease: draft.lease,
    ...(request
      ? {
          by: {
            level: request.level,
            console: request.console,
            command: request.command.type,
            jti: request.jti,
            statement: digestOf(request.statement),
          },
        }
      : {}),
    ...(draft.reason === undefined ? {} : { reason: draft.reason }),
    ...(draft.until_s === undefined ? {} : { until: draft.until_s }),
    ...(draft.holder === undefined ? {} : { holder: draft.holder }),
    made: draft.keys.flatMap(madeBy),
    destroyed: draft.keys.flatMap(destroyedBy),
  };
}

function madeBy(change: KeyChange): readonly KeyName[] {
  switch (change.kind) {
    case 'use-pair':
      return [{ kind: 'pair', id: change.id }];
    case 'make-symmetric':
      return [{ kind: 'symmetric', id: change.id }];
    case 'make-data':
    case 'renew-data':
      return [{ kind: 'data', id: change.lease }];
    case 'new-salt':
      return [{ kind: 'salt' }];
    case 'destroy-pair':
    case 'destroy-symmetric':
    case 'destroy-data':
    case 'set-share':
    case 'clear-share':
    case 'unlock':
      return [];
  }
}

function destroyedBy(change: KeyChange): readonly KeyName[] {
  switch (change.kind) {
    case 'destroy-pair':
      return [{ kind: 'pair', id: change.id }];
    case 'destroy-symmetric':
      return [{ kind: 'symmetric', id: change.id }];
    case 'destroy-data':
    case 'renew-data':
      return [{ kind: 'data', id: change.lease }];
    case 'new-salt':
      return [{ kind: 'salt' }];
    case 'use-pair':
    case 'make-symmetric':
    case 'make-data':
    case 'set-share':
    case 'clear-share':
    case 'unlock':
      return [];
  }
}

/** Puts the receipts into the records of the levels that keep them, and counts them there. */
export function keepReceipts(
  state: NodeState,
  drafts: readonly ReceiptDraft[],
  signed: readonly string[],
): { readonly state: NodeState; readonly kept: readonly KeptReceipt[] } {
  const kept: KeptReceipt[] = [];
  const levels = state.levels.map((level, index) => {
    let { receipts } = level;
    for (const [at, draft] of drafts.entries()) {
      const jws = signed[at];
      if (jws === undefined || !draft.to.includes(index)) continue;
      receipts += 1;
      const oldest = receipts - limits.receipts_kept_max;
      kept.push({ lease: level.lease, number: receipts, jws, ...(oldest > 0 ? { drops: oldest } : {}) });
    }
    return { ...level, receipts };
  });
  const next = { ...state, levels: levels as unknown as NodeState['levels'] };
  return { state: withProof(next, drafts, signed), kept };
}

/** What was signed of a transfer, and of the end of the level that was handed on, is kept for those who ask under its old pair. */
function withProof(state: NodeState, drafts: readonly ReceiptDraft[], signed: readonly string[]): NodeState {
  const { formerly } = state;
  if (!formerly || !drafts.some(({ act }) => act === 'transfer')) return state;
  const receipts = signed.filter(
    (_, at) => drafts[at]?.act === 'transfer' || drafts[at]?.lease === formerly.lease,
  );
  return { ...state, formerly: { ...formerly, receipts } };
}

/** A decision with its receipts, and what its asker is answered. */
export interface Receipted {
  readonly decision: Decision;
  readonly kept: readonly KeptReceipt[];
  readonly result: Decision['result'];
}
