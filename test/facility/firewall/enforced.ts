import { readRange } from '../../../bmonitor/filters/address.js';
import { compileSet } from '../../../bmonitor/filters/compile.js';
import type { LevelBoxes } from '../../../bmonitor/filters/boxes.js';
import type { Filter, FilterSet, PeerRange } from '../../../bmonitor/filters/model.js';
import { normaliseSet } from '../../../bmonitor/filters/normalise.js';
import { ProgramMaker } from '../../../bmonitor/filters/nft/compile.js';
import { closedPlan, type NodePlan } from '../../../bmonitor/filters/nft/plan.js';
import { logGroup, logPrefix } from '../../../bmonitor/filters/nft/refusals.js';
import { KernelFirewall } from '../../../bmonitor/host/firewall/kernel-firewall.js';
import type { Applied } from '../../../bmonitor/ports/firewall.js';
import type { Result } from '../../../protocol/result.js';
import type { Place } from '../bed/index.js';

export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.refusal.code}: ${result.refusal.detail ?? ''}`);
  return result.value;
}

export function peer(text: string): PeerRange {
  const reading = readRange(text);
  if (reading.kind !== 'range') throw new Error(`not a range: ${text}`);
  return reading.range;
}

export function level(set: Partial<FilterSet> & { readonly filters: readonly Filter[] }): LevelBoxes {
  return valueOf(compileSet(valueOf(normaliseSet({ otherwise: 'deny', ...set }))));
}

/** A landlord's set of these filters alone. */
export function allowing(...filters: readonly Filter[]): LevelBoxes {
  return level({ filters });
}

/** A place whose kernel is under a firewall of ours, as a node's is. */
export class Enforced {
  readonly #maker = new ProgramMaker();
  plan: NodePlan;

  private constructor(
    readonly place: Place,
    readonly firewall: KernelFirewall,
  ) {
    this.plan = { ...closedPlan, addresses: [peer(place.ipv4), peer(place.ipv6)] };
  }

  static async at(place: Place): Promise<Enforced> {
    const firewall = valueOf(
      await KernelFirewall.open({
        prefix: ['ip', 'netns', 'exec', place.namespace],
        log: { group: logGroup, prefix: logPrefix },
        wall: () => Date.now(),
      }),
    );
    return new Enforced(place, firewall);
  }

  /** Applies the plan with these changes, and keeps them. */
  async enforce(change: Partial<NodePlan> = {}): Promise<Applied> {
    this.plan = { ...this.plan, ...change };
    return valueOf(await this.firewall.apply(this.#maker.make(this.plan)));
  }

  async allow(...filters: readonly Filter[]): Promise<Applied> {
    return this.enforce({ levels: [allowing(...filters)] });
  }

  close(): Promise<void> {
    return this.firewall.close();
  }
}
