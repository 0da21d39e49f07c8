import { storageFacts, type MachineFacts } from './answers.js';
import type { Core } from './core.js';

export interface LocalParts {
  readonly core: Core;
  readonly machine: MachineFacts;
  readonly boot: string;
  readonly address: string;
}

/**
 * What anyone may know who stands at the machine with its administrator's rights: whether BMonitor runs and does its work. Nothing of what a
 * level commands, runs or allows.
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
    ...storageFacts(machine),
    filters: filterFacts(machine),
    quarantine: state.quarantine !== undefined,
    levels: state.levels.map((level) => level.status),
    undone,
    ...(core.clockAhead_s() > 0 ? { clockAhead: core.clockAhead_s() } : {}),
    ...(fault === undefined ? {} : { fault }),
  };
}

function filterFacts(machine: MachineFacts): Readonly<Record<string, unknown>> {
  const { enforced, readBack_s, detail } = machine.filters();
  return {
    enforced,
    ...(readBack_s === undefined ? {} : { readBack: readBack_s }),
    ...(detail === undefined ? {} : { detail }),
  };
}
