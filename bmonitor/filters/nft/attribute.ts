import type { CountedElement, FirewallCounters, RefusedPacket } from '../../ports/firewall.js';
import type { LevelBoxes } from '../boxes.js';
import { decodeFrame } from '../explain/decode.js';
import { Explainer, type ExplainOptions } from '../explain/explainer.js';
import { possibleKeys } from './elements.js';
import { mapName } from './levels.js';

/** Back from what the kernel says to whose filter it was. */
export interface FilterCount extends CountedElement {
  readonly level: number;
  readonly filter: number;
}

/** What each filter decided: for an allow, flows it judged; for a deny, packets it refused. */
export function filterCounts(
  levels: readonly LevelBoxes[],
  counters: FirewallCounters,
): readonly FilterCount[] {
  const counts: FilterCount[] = [];
  for (const [level, { boxes }] of levels.entries()) {
    const sums = new Map<number, { packets: number; bytes: number }>();
    for (const box of boxes)
      for (const { kind, key } of possibleKeys(box)) {
        const counted = counters.elements.get(mapName(level, box.direction, box.family, kind))?.get(key);
        if (counted === undefined) continue;
        const sum = sums.get(box.filter) ?? { packets: 0, bytes: 0 };
        sums.set(box.filter, {
          packets: sum.packets + counted.packets,
          bytes: sum.bytes + counted.bytes,
        });
      }
    for (const [filter, sum] of sums) counts.push({ level, filter, ...sum });
  }
  return counts;
}

export interface Attributed {
  /** In the kernel's word. */
  readonly reason: string;
  /** The level that refused; null where no level was asked. */
  readonly level: number | null;
  /** The deny that matched; null where nothing did and the level denies otherwise. */
  readonly filter: number | null;
}

/**
 * The level is the kernel's own word. The filter is what the explainer says of the packet, if it comes to the same level:
 * filters may have changed since, and a packet of a connection that was cut may be a reply, which stands alone here.
 */
export class Attributor {
  readonly #explainer: Explainer;

  /** One for each change of the filters: making it costs what the filters are many. */
  constructor(options: Pick<ExplainOptions, 'levels' | 'addresses'>) {
    this.#explainer = new Explainer({ ...options, whole: true });
  }

  of(refused: RefusedPacket): Attributed {
    const { reason } = refused;
    const found = /^filter (\d+)$/u.exec(reason);
    if (found === null) return { reason, level: null, filter: null };
    const level = Number(found[1]);
    const bytes = Buffer.from(refused.packet);
    const packet = decodeFrame({ bytes, originalLength: bytes.length, seconds: refused.at / 1000 }, 'ip');
    if (typeof packet === 'string') return { reason, level, filter: null };
    const outcome = this.#explainer.explain(packet, refused.at / 1000);
    return { reason, level, filter: outcome?.level === level ? outcome.filter : null };
  }
}
