import { ok, refuse, type Result } from '../../../protocol/result.js';
import { parseAddress } from '../../filters/address.js';
import { decided, type Decide, type Decision } from '../decision.js';
import type { ConsoleWays, NodeState } from '../state.js';

/**
 * From where the landlord's consoles reach the node whatever filters say. A wrong address would lock the landlord out, so every change waits
 * for the word of the console that asked, which can only come over a way that is still there.
 */
export const decideSetWays: Decide<'ways.set'> = (state, { command, console }, given) => {
  if (state.ways?.waiting) return refuse('change-pending', 'the ways of consoles');
  const addresses = areAddresses(command.consoles, 'command.consoles');
  if (!addresses.ok) return addresses;
  const undoAt_s = given.now_s + command.confirmWithin;
  const before = state.ways && { before: state.ways.consoles };
  const ways: ConsoleWays = { consoles: command.consoles, waiting: { console, undoAt_s, ...before } };
  return ok(changed({ ...state, ways }, 'ways.changed', { consoles: command.consoles, undoAt: undoAt_s }));
};

export const decideConfirmWays: Decide<'ways.confirm'> = (state, { console }) => {
  const { ways } = state;
  if (!ways?.waiting) return refuse('nothing-pending');
  if (ways.waiting.console !== console)
    return refuse('not-authorised', 'only the console that asked for the change can confirm it');
  const { consoles } = ways;
  return ok(decided({ ...state, ways: { consoles } }, { result: { consoles } }));
};

export function areAddresses(texts: readonly string[], where: string): Result<true> {
  const wrong = texts.findIndex((text) => parseAddress(text) === undefined);
  return wrong === -1 ? ok(true) : refuse('bad-input', 'not an address', { where: `${where}[${wrong}]` });
}

/** Nobody confirmed them in time. */
export function undoWays(state: NodeState): Decision | undefined {
  const { ways, ...rest } = state;
  if (!ways?.waiting) return undefined;
  const { before } = ways.waiting;
  const back: NodeState = before ? { ...rest, ways: { consoles: before } } : rest;
  return changed(back, 'ways.undone', { consoles: before ?? [] });
}

function changed(
  state: NodeState,
  kind: string,
  result: { readonly consoles: readonly string[]; readonly undoAt?: number },
): Decision {
  return decided(state, {
    loosens: true,
    effects: [{ kind: 'enforce-filters' }],
    events: [{ to: [0], kind, fields: { consoles: result.consoles.join(' ') } }],
    touched: [{ level: 0, sees: 'statement' }],
    result,
  });
}
