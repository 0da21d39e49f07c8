import type { DhcpPacket } from '../../protocol/dhcp/index.js';
import { limits } from '../../protocol/limits.js';
import { leaseOf, type Lease } from './lease.js';
import { confirm, decline, discover, rebind, release, renew, request } from './messages.js';
import type { Asking, Client, Effect, Facts, Input, State, Step } from './state.js';

/** Pure: time, chance and packets come in, packets and effects go out. The states and their order stand in state.ts. */
export function step(client: Client, input: Input, facts: Facts): Step {
  switch (input.kind) {
    case 'start':
      return start({ ...client, failures: 0 }, input.previous, facts);
    case 'packet':
      return hear(client, input.packet, facts);
    case 'wake':
      return wake(client, facts);
    case 'probed':
      return probed(client, input, facts);
    case 'conflict':
      return conflict(client, input.address, facts);
    case 'carrier':
      return input.up ? linkCame(client, facts) : stay(client);
    case 'release':
      return giveBack(client, facts);
  }
}

function stay(client: Client, ...effects: readonly Effect[]): Step {
  return { client, effects };
}

function become(client: Client, state: State, ...effects: readonly Effect[]): Step {
  return { client: { ...client, state }, effects };
}

function newXid(facts: Facts): number {
  return Math.floor(facts.random() * 2 ** 32);
}

function ask(facts: Facts): Asking {
  return { xid: newXid(facts), since_ms: facts.now_ms, tries: 1, again_ms: facts.now_ms + pause(1, facts) };
}

function askAgain(asking: Asking, facts: Facts): Asking {
  const tries = asking.tries + 1;
  return { ...asking, tries, again_ms: facts.now_ms + pause(tries, facts) };
}

/** 2, 4, 8 … 64 seconds, each up to a tenth more or less, so that a hall of machines that start together does not stay together. */
function pause(tries: number, facts: Facts): number {
  const plain = limits.dhcp_first_ms * 2 ** Math.min(tries - 1, limits.dhcp_doublings_max);
  return plain * (0.9 + 0.2 * facts.random());
}

function start(client: Client, previous: string | undefined, facts: Facts): Step {
  const asking = ask(facts);
  if (previous === undefined) return become(client, { is: 'selecting', ...asking }, discover(asking, facts));
  return become(client, { is: 'rebooting', address: previous, ...asking }, confirm(asking, facts, previous));
}

/** The link is back, perhaps on another network: what was known is asked for again, and what was waited for is not. */
function linkCame(client: Client, facts: Facts): Step {
  const { state } = client;
  switch (state.is) {
    case 'init':
    case 'selecting':
    case 'requesting':
    case 'expired':
      return start(client, undefined, facts);
    case 'bound':
    case 'renewing':
    case 'rebinding': {
      const asking = ask(facts);
      const { lease } = state;
      return become(
        client,
        { is: 'rebooting', address: lease.address, lease, ...asking },
        confirm(asking, facts, lease.address),
      );
    }
    case 'rebooting':
    case 'probing':
    case 'declined':
    case 'released':
      return stay(client);
  }
}

function hear(client: Client, packet: DhcpPacket, facts: Facts): Step {
  const { state } = client;
  if (!('xid' in state) || packet.xid !== state.xid || packet.mac !== facts.mac) return stay(client);
  if (packet.type === 'offer' && state.is === 'selecting') return heardOffer(client, state, packet, facts);
  if (packet.type === 'ack' && state.is !== 'selecting') return heardAck(client, state, packet);
  if (packet.type === 'nak' && state.is !== 'selecting') return heardNak(client, state, packet, facts);
  return stay(client);
}

type Answerable = Extract<State, Asking & { is: 'requesting' | 'rebooting' | 'renewing' | 'rebinding' }>;

function heardOffer(
  client: Client,
  state: Extract<State, { is: 'selecting' }>,
  packet: DhcpPacket,
  facts: Facts,
): Step {
  const offer = leaseOf(packet, facts.now_ms);
  if (!offer.ok) return stay(client);
  if (client.avoided.some((it) => it.server === offer.value.server && it.until_ms > facts.now_ms))
    return stay(client);
  const again_ms = facts.now_ms + pause(1, facts);
  const asking = { xid: state.xid, since_ms: facts.now_ms, tries: 1, again_ms };
  return become(
    client,
    { is: 'requesting', offer: offer.value, ...asking },
    request(asking, facts, offer.value),
  );
}

/** The server counts from when it got the question: we from when we first asked it. */
function heardAck(client: Client, state: Answerable, packet: DhcpPacket): Step {
  const granted = leaseOf(packet, state.since_ms);
  if (!granted.ok) return stay(client);
  const lease = granted.value;
  switch (state.is) {
    case 'requesting':
      if (lease.address !== state.offer.address || lease.server !== state.offer.server) return stay(client);
      return become(client, { is: 'probing', lease }, { kind: 'probe', address: lease.address });
    case 'rebooting':
      if (lease.address !== state.address) return stay(client);
      if (state.lease !== undefined) return bind(client, lease);
      return become(client, { is: 'probing', lease }, { kind: 'probe', address: lease.address });
    case 'renewing':
      if (lease.server !== state.lease.server) return stay(client);
      return lease.address === state.lease.address ? bind(client, lease) : stay(client);
    case 'rebinding':
      return lease.address === state.lease.address ? bind(client, lease) : stay(client);
  }
}

function heardNak(client: Client, state: Answerable, packet: DhcpPacket, facts: Facts): Step {
  const { server } = packet.options;
  if (server === undefined) return stay(client);
  switch (state.is) {
    case 'requesting':
      if (server !== state.offer.server) return stay(client);
      return fail(avoid(client, server, facts), facts);
    case 'renewing':
      return server === state.lease.server ? fail(client, facts) : stay(client);
    case 'rebooting':
    case 'rebinding':
      return fail(client, facts);
  }
}

/** Refused: the address is given up at once, and the wait before the next attempt grows, so that a rude server is not hammered. */
function fail(client: Client, facts: Facts): Step {
  const failures = client.failures + 1;
  const until_ms = facts.now_ms + (failures === 1 ? 0 : pause(failures - 1, facts));
  const { client: without, effects } = withdraw({ ...client, failures });
  return become(without, { is: 'init', until_ms }, ...effects);
}

function avoid(client: Client, server: string, facts: Facts): Client {
  const until_ms = facts.now_ms + limits.dhcp_avoid_ms;
  const others = client.avoided.filter((it) => it.server !== server && it.until_ms > facts.now_ms);
  return { ...client, avoided: [...others, { server, until_ms }].slice(-limits.dhcp_avoided_max) };
}

/** Takes the address from the interface, and says so. */
function withdraw(client: Client): Step {
  const { applied, ...without } = client;
  if (applied === undefined) return stay(client);
  return stay(without, { kind: 'remove', lease: applied }, { kind: 'changed', old: applied.address });
}

function bind(client: Client, lease: Lease): Step {
  const { applied } = client;
  const bound: Client = { ...client, applied: lease, failures: 0, state: { is: 'bound', lease } };
  if (applied !== undefined && applied.address === lease.address)
    return stay(bound, { kind: 'apply', lease });
  return stay(
    bound,
    ...(applied === undefined ? [] : [{ kind: 'remove', lease: applied } as const]),
    {
      kind: 'changed',
      ...(applied === undefined ? {} : { old: applied.address }),
      new: lease.address,
    },
    { kind: 'apply', lease },
    { kind: 'announce', address: lease.address },
  );
}

function probed(client: Client, input: Extract<Input, { kind: 'probed' }>, facts: Facts): Step {
  const { state } = client;
  if (state.is !== 'probing' || state.lease.address !== input.address) return stay(client);
  return input.taken ? refuseAddress(client, state.lease, facts) : bind(client, state.lease);
}

function refuseAddress(client: Client, lease: Lease, facts: Facts): Step {
  const failures = client.failures + 1;
  const { client: without, effects } = withdraw({ ...client, failures });
  // RFC 2131, 3.1.5: at least ten seconds, so that a server with nothing but taken addresses is not chased.
  const until_ms = facts.now_ms + limits.dhcp_declined_ms;
  return become(without, { is: 'declined', until_ms }, decline(newXid(facts), facts, lease), ...effects);
}

/** RFC 5227, 2.4: defended once; the second time within ten seconds it is given up. */
function conflict(client: Client, address: string, facts: Facts): Step {
  const { state } = client;
  if (client.applied?.address !== address || !('lease' in state) || state.lease === undefined)
    return stay(client);
  const defended_ms = state.is === 'bound' ? state.defended_ms : undefined;
  if (defended_ms !== undefined && facts.now_ms - defended_ms < limits.dhcp_defend_ms)
    return refuseAddress(client, state.lease, facts);
  return become(
    client,
    { is: 'bound', lease: state.lease, defended_ms: facts.now_ms },
    { kind: 'announce', address },
  );
}

function giveBack(client: Client, facts: Facts): Step {
  const lease = client.applied;
  const { client: without, effects } = withdraw(client);
  const farewell = lease === undefined ? [] : [release(newXid(facts), facts, lease)];
  return become(without, { is: 'released' }, ...farewell, ...effects);
}

function wake(client: Client, facts: Facts): Step {
  const { state } = client;
  const { now_ms } = facts;
  switch (state.is) {
    case 'init':
    case 'expired':
    case 'declined':
      return now_ms < state.until_ms ? stay(client) : start(client, undefined, facts);
    case 'selecting': {
      if (now_ms < state.again_ms) return stay(client);
      const asking = askAgain(state, facts);
      return become(client, { is: 'selecting', ...asking }, discover(asking, facts));
    }
    case 'requesting': {
      if (now_ms < state.again_ms) return stay(client);
      if (state.tries >= limits.dhcp_requests_max)
        return start(avoid(client, state.offer.server, facts), undefined, facts);
      const asking = askAgain(state, facts);
      return become(client, { ...state, ...asking }, request(asking, facts, state.offer));
    }
    case 'rebooting':
      return wakeRebooting(client, state, facts);
    case 'bound': {
      if (now_ms < state.lease.renew_ms) return stay(client);
      const { lease } = state;
      const asking = { ...ask(facts), again_ms: halfway(now_ms, lease.rebind_ms, lease) };
      return become(client, { is: 'renewing', lease, ...asking }, renew(asking, facts, lease));
    }
    case 'renewing':
    case 'rebinding':
      return wakeExtending(client, state, facts);
    case 'probing':
    case 'released':
      return stay(client);
  }
}

/** Nobody answers: with a lease that still holds it is used on (RFC 2131, 3.2); without one, a new one is looked for. */
function wakeRebooting(client: Client, state: Extract<State, { is: 'rebooting' }>, facts: Facts): Step {
  const { lease } = state;
  if (lease !== undefined && facts.now_ms >= lease.expires_ms) return expire(client, facts);
  if (facts.now_ms < state.again_ms) return stay(client);
  if (state.tries >= limits.dhcp_confirms_max)
    return lease === undefined ? start(client, undefined, facts) : become(client, { is: 'bound', lease });
  const asking = askAgain(state, facts);
  return become(client, { ...state, ...asking }, confirm(asking, facts, state.address));
}

function wakeExtending(
  client: Client,
  state: Extract<State, { is: 'renewing' | 'rebinding' }>,
  facts: Facts,
): Step {
  const { lease } = state;
  const { now_ms } = facts;
  if (now_ms >= lease.expires_ms) return expire(client, facts);
  const begins = state.is === 'renewing' && now_ms >= lease.rebind_ms;
  if (!begins && now_ms < state.again_ms) return stay(client);
  const asking = begins ? ask(facts) : { ...state, tries: state.tries + 1 };
  const { xid, since_ms, tries } = asking;
  if (begins || state.is === 'rebinding') {
    const next = { xid, since_ms, tries, again_ms: halfway(now_ms, lease.expires_ms, lease) };
    return become(client, { is: 'rebinding', lease, ...next }, rebind(next, facts, lease));
  }
  const next = { xid, since_ms, tries, again_ms: halfway(now_ms, lease.rebind_ms, lease) };
  return become(client, { is: 'renewing', lease, ...next }, renew(next, facts, lease));
}

/** RFC 2131, 4.4.5: half of what is left, but not more often than each minute; short leases, more often. */
function halfway(now_ms: number, end_ms: number, lease: Lease): number {
  const least = Math.min(limits.dhcp_renew_pause_ms_min, (lease.expires_ms - lease.renew_ms) / 16);
  return now_ms + Math.max(least, (end_ms - now_ms) / 2);
}

function expire(client: Client, facts: Facts): Step {
  const { client: without, effects } = withdraw(client);
  return become(without, { is: 'expired', until_ms: facts.now_ms }, ...effects);
}
