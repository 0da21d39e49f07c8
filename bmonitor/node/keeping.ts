import { digestOf, toB64u } from '../../crypto/bytes.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { Core } from './core.js';
import { admit } from './decide.js';
import { decideConfirmFilters } from './decide/filters.js';
import type { Decision, Given, Request } from './decision.js';
import type { Duplex } from './duplex.js';
import type { ServeStream } from './engine-report.js';
import type { NodeState } from './state.js';
import type { Serving } from './streams.js';

/** A change that is undone unless it is kept: the command that made it, and its version. */
interface OnTrial {
  readonly request: Request;
  readonly version: number;
}

/**
 * Waits for the secret whose digest the signed change carried, and keeps the change when it is shown: over the stream of that very change, whose keys
 * only its console and this node have. It costs neither side a private key, and who reads the history can hold the secret against the statement.
 * Undefined: the command asks for no such stream.
 */
export function keepsWhenShown(
  core: Core,
  request: Request,
  result: Readonly<Record<string, unknown>>,
): Pick<Serving, 'serve' | 'atMost'> | undefined {
  const { command } = request;
  if (command.type !== 'filters.replace' || command.keep === undefined) return undefined;
  const { keep, confirmWithin = 0 } = command;
  const trial: OnTrial = { request, version: Number(result['version']) };
  const late: Refusal = { code: 'nothing-pending', detail: 'no secret was shown in time' };
  const serve: ServeStream = async (duplex) => {
    const shown = await secretFrom(duplex);
    if (!shown.ok) return shown;
    if (digestOf(shown.value) !== keep)
      return refuse('not-authorised', 'this is not the secret whose digest was signed');
    let refusal: Refusal | undefined;
    const kept = await core.actByItself('filters.kept', (state, given) => {
      const decided = decideKept(state, given, trial, toB64u(shown.value));
      if (decided.ok) return decided.value;
      refusal = decided.refusal;
      return undefined;
    });
    if (refusal) return { ok: false, refusal };
    return kept ? ok({ version: trial.version }) : refuse('internal', 'it was not kept');
  };
  return { serve, atMost: { ms: confirmWithin * 1000, refusal: late } };
}

/** As if its console confirmed it now: it has to be enrolled still, and may still be allowed to. */
function decideKept(
  state: NodeState,
  given: Given,
  { request, version }: OnTrial,
  secret: string,
): Result<Decision> {
  const confirming = { ...request, command: { type: 'filters.confirm', version } as const };
  const may = admit(state, confirming);
  if (!may.ok) return may;
  const { waiting } = state.levels[request.level] ?? {};
  if (waiting && given.now_s >= waiting.undoAt_s) return refuse('nothing-pending');
  const decided = decideConfirmFilters(state, confirming, given);
  if (!decided.ok) return decided;
  return ok({
    ...decided.value,
    touched: [{ level: request.level, sees: 'statement' }],
    result: { version, of: request.jti, secret },
  });
}

/** All that comes until the console says that this was all. */
async function secretFrom(duplex: Duplex): Promise<Result<Uint8Array>> {
  let come = Buffer.alloc(0);
  for await (const piece of duplex.incoming()) {
    come = Buffer.concat([come, piece]);
    if (come.length > limits.keep_secret_bytes) return refuse('too-large', 'a longer secret than any');
  }
  if (!duplex.whole) return refuse('stream-cut');
  return come.length === limits.keep_secret_bytes ? ok(come) : refuse('malformed', 'no secret');
}
