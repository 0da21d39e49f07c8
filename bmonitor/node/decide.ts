import type { Command } from '../../protocol/commands.js';
import { refuse, type Result } from '../../protocol/result.js';
import { authorize, type Speaker } from '../authority/authorize.js';
import { authority } from '../authority/table.js';
import { decideAddConsole, decideRemoveConsole } from './decide/consoles.js';
import {
  decideEnterEngine,
  decideKillEngine,
  decidePauseEngine,
  decidePutEngine,
  decideReloadEngine,
  decideRemoveEngine,
  decideRemoveFolder,
  decideRestartEngine,
  decideResumeEngine,
  decideStartEngine,
  decideStopEngine,
} from './decide/engines.js';
import {
  decideChangeFilters,
  decideConfirmFilters,
  decideQuarantine,
  decideReplaceFilters,
  decideUndoFilters,
} from './decide/filters.js';
import { decideIdentify, decidePower } from './decide/hardware.js';
import { decideCancelJob, decideTrimHistory, decideVerifyHistory } from './decide/history.js';
import { decideEndLease, decideExtendLease, decideGrantLease, decideTakeLease } from './decide/leases.js';
import { decideConsent, decideMakeKey, decideRotateKeys, decideShare, decideUnlock } from './decide/keys.js';
import { decideLabel, decideRename } from './decide/node.js';
import { decideApproveMeasurement, decideWithdrawMeasurement } from './decide/measurement.js';
import { decideRemoveSecret, decideSetSecret } from './decide/secrets.js';
import { decideConfirmWays, decideSetWays } from './decide/ways.js';
import { decideTransfer } from './decide/transfer.js';
import { decided, type Decision, type Given, type Request } from './decision.js';
import { roomInHistory } from './history-room.js';
import { outOfScope, rightsNow, type NodeState } from './state.js';

/**
 * The heart: from what the node is and what is asked to what it shall be, or to a refusal with its reason. Pure: the same input gives the
 * same output, and nothing happens.
 */
export function decide(state: NodeState, request: Request, given: Given): Result<Decision> {
  const who = admit(state, request);
  if (!who.ok) return who;
  const room = roomInHistory(state, request);
  if (!room.ok) return room;
  const decision = named(state, request, dispatch(state, request, given));
  if (!decision.ok || !decision.value.loosens) return decision;
  const still = authorize(who.value, request.command.type, { provenNew: request.provenNew, loosens: true });
  return still.ok ? decision : still;
}

/** A long command is known by the id of the command that began it. */
function named({ jobs: before }: NodeState, { jti }: Request, decision: Result<Decision>): Result<Decision> {
  if (!decision.ok) return decision;
  const { state } = decision.value;
  const known = new Set(before.map(({ id }) => id));
  if (state.jobs.every(({ id }) => known.has(id))) return decision;
  const jobs = state.jobs.map((job) => (known.has(job.id) ? job : { ...job, jti }));
  return { ok: true, value: { ...decision.value, state: { ...state, jobs } } };
}

/** Who speaks, and may it ask for this at all? All there is to decide about a command that reads. */
export function admit(state: NodeState, request: Request): Result<Speaker> {
  const who = speakerOf(state, request);
  if (!who.ok) return who;
  if (state.levels[request.level]?.lease !== request.lease) return refuse('wrong-lease');
  const may = authorize(who.value, request.command.type, { provenNew: request.provenNew, loosens: false });
  return may.ok ? who : may;
}

export function speakerOf(state: NodeState, request: Pick<Request, 'level' | 'console'>): Result<Speaker> {
  const level = state.levels[request.level];
  const enrolled = level?.roster.find((entry) => entry.id === request.console);
  if (!level || !enrolled) return refuse('unknown-console');
  return {
    ok: true,
    value: {
      level: request.level,
      role: enrolled.role,
      rights: rightsNow(state, request.level),
      status: level.status,
      outOf: outOfScope(level, enrolled),
    },
  };
}

export function changesSomething(command: Command): boolean {
  return authority[command.type].changes;
}

/** Every command by name: a new one does not compile until it stands here. */
function dispatch(state: NodeState, request: Request, given: Given): Result<Decision> {
  const { command } = request;
  switch (command.type) {
    case 'status':
    case 'levels.read':
    case 'history.read':
    case 'receipts.read':
    case 'keys.read':
    case 'keys.boot':
    case 'keys.blindness':
    case 'measurement.read':
    case 'events.follow':
    case 'jobs.read':
    case 'health.read':
    case 'filters.read':
    case 'filters.counters':
    case 'filters.probe':
    case 'engines.read':
    case 'engine.read':
    case 'images.read':
    case 'folders.read':
    case 'secrets.read':
    case 'image.send':
    case 'engine.logs':
    case 'engine.ask':
    case 'engines.usage':
      // These change nothing: they are answered from the state by answer.ts.
      return { ok: true, value: decided(state) };
    case 'node.rename':
      return decideRename(state, { ...request, command }, given);
    case 'node.label':
      return decideLabel(state, { ...request, command });
    case 'consoles.add':
      return decideAddConsole(state, { ...request, command }, given);
    case 'consoles.remove':
      return decideRemoveConsole(state, { ...request, command }, given);
    case 'keys.make':
      return decideMakeKey(state, { ...request, command }, given);
    case 'keys.rotate':
      return decideRotateKeys(state, { ...request, command }, given);
    case 'keys.consent':
      return decideConsent(state, { ...request, command }, given);
    case 'keys.share':
      return decideShare(state, { ...request, command }, given);
    case 'keys.unlock':
      return decideUnlock(state, { ...request, command }, given);
    case 'measurement.approve':
      return decideApproveMeasurement(state, { ...request, command }, given);
    case 'measurement.withdraw':
      return decideWithdrawMeasurement(state, { ...request, command }, given);
    case 'node.transfer':
      return decideTransfer(state, { ...request, command }, given);
    case 'lease.grant':
      return decideGrantLease(state, { ...request, command }, given);
    case 'lease.take':
      return decideTakeLease(state, { ...request, command }, given);
    case 'lease.extend':
      return decideExtendLease(state, { ...request, command }, given);
    case 'lease.end':
      return decideEndLease(state, { ...request, command }, given);
    case 'filters.replace':
      return decideReplaceFilters(state, { ...request, command }, given);
    case 'filters.change':
      return decideChangeFilters(state, { ...request, command }, given);
    case 'filters.confirm':
      return decideConfirmFilters(state, { ...request, command }, given);
    case 'filters.undo':
      return decideUndoFilters(state, { ...request, command }, given);
    case 'engine.put':
      return decidePutEngine(state, { ...request, command }, given);
    case 'engine.start':
      return decideStartEngine(state, { ...request, command }, given);
    case 'engine.stop':
      return decideStopEngine(state, { ...request, command }, given);
    case 'engine.kill':
      return decideKillEngine(state, { ...request, command }, given);
    case 'engine.restart':
      return decideRestartEngine(state, { ...request, command }, given);
    case 'engine.reload':
      return decideReloadEngine(state, { ...request, command }, given);
    case 'engine.pause':
      return decidePauseEngine(state, { ...request, command }, given);
    case 'engine.resume':
      return decideResumeEngine(state, { ...request, command }, given);
    case 'engine.remove':
      return decideRemoveEngine(state, { ...request, command }, given);
    case 'folder.remove':
      return decideRemoveFolder(state, { ...request, command }, given);
    case 'engine.exec':
    case 'engine.attach':
    case 'engine.forward':
      return decideEnterEngine(state, { ...request, command }, given);
    case 'secret.set':
      return decideSetSecret(state, { ...request, command }, given);
    case 'secret.remove':
      return decideRemoveSecret(state, { ...request, command }, given);
    case 'quarantine':
      return decideQuarantine(state, { ...request, command }, given);
    case 'ways.set':
      return decideSetWays(state, { ...request, command }, given);
    case 'ways.confirm':
      return decideConfirmWays(state, { ...request, command }, given);
    case 'hardware.reboot':
      return decidePower(state, request, 'reboot', command, given);
    case 'hardware.power-off':
      return decidePower(state, request, 'power-off', command, given);
    case 'hardware.suspend':
      return decidePower(state, request, 'suspend', command, given);
    case 'hardware.identify':
      return decideIdentify(state, { ...request, command }, given);
    case 'history.trim':
      return decideTrimHistory(state, { ...request, command }, given);
    case 'history.verify':
      return decideVerifyHistory(state, { ...request, command }, given);
    case 'job.cancel':
      return decideCancelJob(state, { ...request, command }, given);
  }
}
