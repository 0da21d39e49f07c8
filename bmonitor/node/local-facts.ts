import type { MachineFacts } from './answers.js';
import { groundFacts } from './ground.js';
import type { Core } from './core.js';
import type { Term } from './state.js';
import { limits } from '../../protocol/limits.js';

export interface LocalParts {
  readonly core: Core;
  readonly machine: MachineFacts;
  readonly boot: string;
  readonly address: string;
}

/**
 * What anyone may know who stands at the machine with its administrator's rights: whether BMonitor runs and does its work, who leases it until
 * when, and the names of keys. Nothing of what a level commands, runs or allows, and no key.
 */
export function localFacts({ core, machine, boot, address }: LocalParts): Readonly<Record<string, unknown>> {
  const { state, identity, undone, fault } = core;
  return {
    name: state.name,
    node: identity.public.id,
    boot,
    version: machine.version,
    pid: process.pid,
    started: machine.started_s,
    uptime: Math.max(0, core.now_s() - machine.started_s),
    listening: address,
    keyStore: machine.keyStore,
    ...(core.measured === undefined ? {} : { measured: core.measured }),
    ...groundFacts(machine),
    ...(machine.health ? { health: machine.health.summary() } : {}),
    filters: filterFacts(machine),
    quarantine: state.quarantine !== undefined,
    levels: state.levels.map((level) => level.status),
    chain: chainFacts(core),
    sparePairs: core.ring.pool.length,
    undone,
    ...(core.clockAhead_s() > 0 ? { clockAhead: core.clockAhead_s() } : {}),
    ...(fault === undefined ? {} : { fault }),
  };
}

function filterFacts(machine: MachineFacts): Readonly<Record<string, unknown>> {
  const { enforced, since_s, readBack_s, elementsReadBack_s, differed, detail } = machine.filters();
  return {
    enforced,
    ...(since_s === undefined ? {} : { since: since_s }),
    ...(readBack_s === undefined ? {} : { readBack: readBack_s }),
    ...(elementsReadBack_s === undefined ? {} : { elementsReadBack: elementsReadBack_s }),
    ...(differed === undefined ? {} : { differed: { at: differed.at_s, what: differed.what } }),
    ...(detail === undefined ? {} : { detail }),
  };
}

function chainFacts({ state, ring }: Core): readonly Readonly<Record<string, unknown>>[] {
  return state.levels.map((one, level) => ({
    level,
    lease: one.lease,
    status: one.status,
    rights: one.rights,
    ...(one.term ? { term: termFacts(one.term) } : {}),
    consoles: one.roster.length,
    receipts: Math.min(one.receipts, limits.receipts_kept_max),
    pair: one.pair.id,
    ...(one.previous ? { previous: one.previous.id } : {}),
    ...(one.symmetric === undefined
      ? {}
      : {
          symmetric: {
            id: one.symmetric,
            shared: one.shared === true,
            open: ring.symmetric.has(one.symmetric),
          },
        }),
    open: ring.data.has(one.lease),
  }));
}

function termFacts({ until_s, destroyAfter_s, dark_s }: Term): Readonly<Record<string, number>> {
  return {
    until: until_s,
    destroyAfter: destroyAfter_s,
    destroyedAt: (dark_s ?? until_s) + destroyAfter_s,
  };
}
