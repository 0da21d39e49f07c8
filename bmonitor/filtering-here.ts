import { join } from 'node:path';
import type { Log } from '../protocol/log.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { logGroup, logPrefix } from './filters/nft/refusals.js';
import { heldAddress } from './host/addresses/interface.js';
import { addressFile } from './host/addresses/memory.js';
import type { AddressMemory } from './ports/address-link.js';
import { hostClock } from './host/clock.js';
import { writeBootFile } from './host/firewall/boot-file.js';
import { KernelFirewall } from './host/firewall/kernel-firewall.js';
import type { Config } from './node/config.js';
import { waysIn } from './node/engine-ways.js';
import { Enforcer } from './node/enforcer.js';
import { bootProgram, standingFor, standingOf, standingWith, type Standing } from './node/standing.js';
import type { NodeState } from './node/state.js';

export interface Filtering {
  readonly firewall: KernelFirewall;
  readonly enforcer: Enforcer;
  readonly standing: Standing;
  /** Makes the kernel filter as the state says, and keeps for the next boot from where consoles reach the machine. */
  readonly enforce: (state: NodeState) => Promise<Result<void>>;
}

/** Wires the filters of this machine. Undefined when its configuration names no addresses: nothing is enforced, and status says so. */
export async function openFiltering(
  folder: string,
  config: Config,
  log: Log,
): Promise<Result<Filtering | undefined>> {
  if (config.dhcp === true && config.interface === undefined)
    return refuse('bad-input', 'DHCP needs an interface', { where: 'interface' });
  if (isOpen(config)) return ok(undefined);
  const standing = standingOf(config);
  if (!standing.ok) return standing;
  // The configuration may have changed since the last start. What stood before is as closed: a node that cannot write goes on.
  const kept = await writeBootFile(bootFileIn(folder), bootProgram(standing.value));
  if (!kept.ok) log.error('boot-file.failed', { why: kept.refusal.detail });
  const firewall = await KernelFirewall.open({
    log: { group: logGroup, prefix: logPrefix },
    wall: () => hostClock.wall(),
  });
  if (!firewall.ok) return firewall;
  // A node that is only started anew has its address still, and loses no packet to it until its server was asked.
  const held =
    config.dhcp === true && config.interface !== undefined
      ? await heldAddress(config.interface, addressMemory(folder))
      : undefined;
  const first = held === undefined ? standing.value : standingWith(standing.value, { new: held });
  const enforcer = new Enforcer(firewall.value, first, (state) => waysIn(state, config.engines?.network));
  let ways: NodeState['ways'];
  const keepWays = async (state: NodeState): Promise<void> => {
    if (state.ways === ways) return;
    ways = state.ways;
    const program = bootProgram(standingFor(standing.value, state));
    const written = await writeBootFile(bootFileIn(folder), program);
    if (!written.ok) log.error('boot-file.failed', { why: written.refusal.detail });
  };
  const enforce = async (state: NodeState): Promise<Result<void>> => {
    const enforced = await enforcer.enforce(state, Math.floor(hostClock.wall() / 1000));
    await keepWays(state);
    return enforced;
  };
  return ok({ firewall: firewall.value, enforcer, standing: standing.value, enforce });
}

/** From its first boot on a machine is closed, but not to its consoles. */
export async function writeFirstBootFile(folder: string, config: Config): Promise<Result<void>> {
  if (isOpen(config)) return ok(undefined);
  const standing = standingOf(config);
  return standing.ok ? writeBootFile(bootFileIn(folder), bootProgram(standing.value)) : standing;
}

export function addressMemory(folder: string): AddressMemory {
  return addressFile(join(folder, 'address'));
}

/** The unit that loads it before the network knows it by this name. */
function bootFileIn(folder: string): string {
  return join(folder, 'boot.nft');
}

function isOpen(config: Config): boolean {
  return config.addresses === undefined && config.dhcp !== true;
}
