import { limits } from '../../protocol/limits.js';
import { Attributor } from '../filters/nft/attribute.js';
import { refusedPoint } from '../filters/nft/refused-point.js';
import type { Firewall, RefusedPacket } from '../ports/firewall.js';
import type { NodeEvent } from './decision.js';
import { nothing, type Enforcer } from './enforcer.js';
import { filtersOf } from './filter-state.js';

interface Gathered {
  readonly packet: RefusedPacket;
  count: number;
}

/**
 * Tells levels of refused packets, a few at a time: those that are alike are told once with their number. The level that refused learns which
 * filter it was, those below it learn which level, those above it nothing: they have counters.
 */
export class RefusalTeller {
  readonly #enforcer: Enforcer;
  readonly #now_ms: () => number;
  readonly #tell: (event: NodeEvent) => void;
  #gathered = new Map<string, Gathered>();
  #more = 0;
  #tellAt_ms = 0;
  #quietUntil_ms = 0;

  constructor(enforcer: Enforcer, now_ms: () => number, tell: (event: NodeEvent) => void) {
    this.#now_ms = now_ms;
    this.#enforcer = enforcer;
    this.#tell = tell;
  }

  async listen(firewall: Pick<Firewall, 'refused'>): Promise<void> {
    for await (const packet of firewall.refused()) this.take(packet);
  }

  take(packet: RefusedPacket): void {
    const key = keyOf(packet);
    const known = this.#gathered.get(key);
    if (known) known.count += 1;
    else if (this.#gathered.size < limits.refused_events_max) this.#gathered.set(key, { packet, count: 1 });
    else this.#more += 1;
  }

  /** Called now and then. The first is told soon; while they go on, seldom, so that they do not push other events out of what is kept. */
  tick(): void {
    if (this.#gathered.size === 0) return;
    const now_ms = this.#now_ms();
    if (this.#tellAt_ms === 0)
      this.#tellAt_ms = Math.max(now_ms + limits.refused_gather_ms, this.#quietUntil_ms);
    if (now_ms < this.#tellAt_ms) return;
    this.#tellAt_ms = 0;
    this.#quietUntil_ms = now_ms + limits.refused_pause_ms;
    this.#flush();
  }

  #flush(): void {
    const gathered = [...this.#gathered.values()];
    const more = this.#more;
    this.#gathered = new Map();
    this.#more = 0;
    const { levels, addresses } = this.#enforcer;
    const attributor = new Attributor({ levels: levels.map((one) => one?.boxes ?? nothing), addresses });
    for (const { packet, count } of gathered)
      for (const event of this.#events(attributor, packet, count)) this.#tell(event);
    if (more > 0)
      this.#tell({ to: levels.map((_, at) => at), kind: 'packets.refused-more', fields: { count: more } });
  }

  #events(attributor: Attributor, packet: RefusedPacket, count: number): readonly NodeEvent[] {
    const { levels } = this.#enforcer;
    const { reason, level, filter } = attributor.of(packet);
    const fields = { ...refusedPoint(packet), count };
    const kind = 'packets.refused';
    // Strays and what no level was asked about is the business of whoever holds the machine.
    if (level === null) return [{ to: [0], kind, fields: { ...fields, reason } }];
    const index = filter === null ? -1 : this.#indexOf(level, filter);
    const below = levels.map((_, at) => at).filter((at) => at > level);
    return [
      { to: [level], kind, fields: { ...fields, level, ...(index < 0 ? {} : { filter: index }) } },
      ...(below.length === 0 ? [] : [{ to: below, kind, fields: { ...fields, level } }]),
    ];
  }

  #indexOf(level: number, id: number): number {
    const own = this.#enforcer.levels[level];
    return own ? filtersOf(own.filters).findIndex((filter) => own.ids.get(filter) === id) : -1;
  }
}

/** A sender that tries port after port, or from port after port, is many; one that repeats itself is one. */
function keyOf(packet: RefusedPacket): string {
  return JSON.stringify([packet.reason, refusedPoint(packet)]);
}
