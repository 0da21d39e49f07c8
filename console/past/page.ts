import type { PublicKey } from '../../crypto/rsa.js';
import { publicKeyFromJwk } from '../../crypto/rsa.js';
import { digestText } from '../../protocol/fields.js';
import { verifyHistory, type HistoryLine } from '../../protocol/history.js';
import { limits } from '../../protocol/limits.js';
import { list, object, text, whole } from '../../protocol/parse.js';
import { historyHead } from '../../protocol/request.js';
import { refuse, ok, type Result } from '../../protocol/result.js';
import type { Caught, Happening, Missing } from './record.js';

const seq = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
const pageForm = object({
  first: seq,
  from: seq,
  lines: list(text({ max: limits.envelope_chars_max }), { max: limits.history_page_entries_max }),
  head: historyHead,
  checkpoint: text({ max: 8192 }),
});

/** What is known of a history before anything was fetched of it. */
export type Before = Pick<Caught, 'head' | 'consoles'>;

export interface Read {
  readonly happened: readonly Happening[];
  readonly missing: readonly Missing[];
  readonly head: Caught['head'];
  readonly consoles: Caught['consoles'];
  readonly checkpoint: string;
  /** Is there more? */
  readonly more: boolean;
}

/**
 * One page of a history, held against what was known before: it follows on it line by line, every statement whose signer is known is by that signer,
 * and the last page ends where the node signed that the history ends. What is not there any more is named, never passed over.
 */
export async function readPage(
  answer: unknown,
  before: Before | undefined,
  trust: { readonly identity: PublicKey; readonly own: PublicKey; readonly lease: string },
): Promise<Result<Read>> {
  const page = pageForm(answer, 'history');
  if (!page.ok) return page;
  const { first, lines, head, checkpoint } = page.value;
  const known = before?.head.seq ?? 0;
  if (head.seq < known) return refuse('history-fork', `entry ${known} was seen before, here are ${head.seq}`);
  const missing: Missing[] = first > known + 1 ? [{ from: known + 1, to: first - 1, why: 'trimmed' }] : [];
  const consoles = (before?.consoles ?? []).flatMap((jwk) => publicKeyFromJwk(jwk) ?? []);
  if (lines.length === 0) {
    if (head.seq > known && missing.length === 0)
      return refuse('history-incomplete', `the node signed ${head.seq} entries and gave ${known}`);
    return ok({ happened: [], missing, head, consoles: before?.consoles ?? [], checkpoint, more: false });
  }
  const happened: Happening[] = [];
  const last = lines.length + page.value.from - 1 >= head.seq;
  const verified = await verifyHistory(
    { lines, ...(last ? { checkpoint } : {}) },
    {
      identity: trust.identity,
      consoles: [trust.own, ...consoles],
      seen: before ? [before.head] : [],
      line: (line) => happened.push(happening(line)),
    },
  );
  if (!verified.ok) return verified;
  if (verified.value.lease !== trust.lease)
    return refuse('history-broken', `it is of the lease ${verified.value.lease}`);
  if (verified.value.first !== Math.max(first, known + 1))
    return refuse('history-broken', `it begins with entry ${verified.value.first}`);
  return ok({
    happened,
    missing: missing.map((gap) => ({ ...gap, ...trimmedBy(gap, happened) })),
    head: verified.value.head,
    consoles: verified.value.consoles.map(({ jwk }) => jwk).slice(0, limits.consoles_ever_enrolled_max),
    checkpoint,
    more: !last,
  });
}

function happening({ seq: at, time, command, by, statement, outcome }: HistoryLine): Happening {
  const { console, level, node } = by;
  return {
    seq: at,
    time: time * 1000,
    command: command.slice(0, 100),
    by: {
      ...(console === undefined ? {} : { console }),
      ...(level === undefined ? {} : { level }),
      ...(node === undefined ? {} : { node }),
    },
    signed: statement,
    outcome: (outcome === undefined ? '' : JSON.stringify(outcome)).slice(0, limits.past_outcome_chars_max),
  };
}

/** The command that trimmed lies in what follows, signed; so who did it can be said. */
export function trimmedBy(gap: Missing, happened: readonly Happening[]): Partial<Missing> {
  const trims = happened.filter(({ command, seq: at }) => command === 'history.trim' && at > gap.to);
  const [trim] = trims.filter(({ outcome }) => Number(/"first":(\d+)/.exec(outcome)?.[1]) > gap.to);
  const by = digestText(trim?.by.console, 'by');
  return trim && by.ok ? { by: by.value, time: trim.time } : {};
}
