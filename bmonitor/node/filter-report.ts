import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Filter } from '../filters/model.js';
import { addressValueOf, flowPoint } from '../filters/nft/flow-point.js';
import { filterCounts } from '../filters/nft/attribute.js';
import { hasPorts, protocolName } from '../filters/protocols.js';
import { canaries } from '../filters/nft/canary.js';
import { Judge } from '../filters/explain/judge.js';
import type { CountedFlow, Firewall } from '../ports/firewall.js';
import type { CompiledLevel } from './compiled-level.js';
import { nothing, type Enforcer } from './enforcer.js';
import { filtersOf } from './filter-state.js';

type Answer = Readonly<Record<string, unknown>>;

/** What became of one filter since a moment. Which of the three numbers it has follows from what it is. */
interface FilterReportLine {
  readonly index: number;
  readonly since: number;
  /**
   * How often an ordinary allow let a connection pass when it was judged: when it began, and once more at its next packet after each change
   * that could have refused it. As long as nothing was tightened, that is the connections that began.
   */
  readonly judged?: number;
  /** Packets that a one-way allow let through. */
  readonly packets?: number;
  /** Packets that a deny refused. */
  readonly refused?: number;
  /** Connections that live now, with what the kernel's accounting says went through them, both ways together. */
  readonly open?: { readonly connections: number; readonly packets: number; readonly bytes: number };
}

/** Tells a level what the kernel counted of its own filters, and of its upper levels no more than their numbers. */
export class FilterReport {
  readonly #firewall: Firewall;
  readonly #enforcer: Enforcer;

  constructor(firewall: Firewall, enforcer: Enforcer) {
    this.#firewall = firewall;
    this.#enforcer = enforcer;
  }

  async counters(level: number): Promise<Result<Answer>> {
    const own = this.#enforcer.levels[level];
    const counted = await this.#firewall.counters();
    if (!counted.ok) return counted;
    const flows = await this.#firewall.flows();
    if (!flows.ok) return flows;
    const boxes = this.#enforcer.levels.map((one) => one?.boxes ?? nothing);
    const counts = new Map(
      filterCounts(boxes, counted.value).flatMap((count) =>
        count.level === level ? [[count.filter, count.packets] as const] : [],
      ),
    );
    const refused = Object.fromEntries(
      [...counted.value.named].flatMap(([name, { packets }]) =>
        packets > 0 ? [[name.replace(/^refused_/u, '').replace('filter_', 'level '), packets]] : [],
      ),
    );
    return ok({
      since: Math.floor(counted.value.since / 1000),
      refused,
      filters: own ? this.#lines(own, level, counts, flows.value) : [],
    });
  }

  /** Packets that should not get out. What should not get in, only somebody outside can show. */
  async probe(): Promise<Result<Answer>> {
    const { levels, addresses } = this.#enforcer;
    if (levels.length === 0) return refuse('not-found', 'nothing is enforced yet');
    const has = (family: number): boolean => addresses.some((address) => address.family === family);
    const sent = canaries(
      levels.map((one) => one?.boxes ?? nothing),
      { address4: has(4), address6: has(6) },
    );
    const outcomes = await this.#firewall.probe(sent);
    const sentOut = outcomes.filter(({ fate }) => fate !== 'unsent');
    const out = sentOut.map(({ address, protocol, port, fate }) => ({
      peer: address,
      protocol: protocolName(protocol),
      ...(hasPorts(protocol) ? { port } : {}),
      refused: fate === 'refused',
    }));
    const shown = out.length === 0 ? 'unknown' : out.every(({ refused }) => refused) ? 'refused' : 'passed';
    return ok({
      out: shown,
      in: 'unknown',
      probes: out,
      note: 'what comes in is refused by the same maps, but only a sender outside can show it',
    });
  }

  #lines(
    own: CompiledLevel,
    level: number,
    counts: ReadonlyMap<number, number>,
    flows: readonly CountedFlow[],
  ): readonly FilterReportLine[] {
    const open = this.#open(own, flows);
    const lines: FilterReportLine[] = [];
    for (const [index, filter] of filtersOf(own.filters).entries()) {
      const id = own.ids.get(filter);
      if (id === undefined) continue;
      const count = counts.get(id) ?? 0;
      const living = open.get(id);
      if (count === 0 && !living) continue;
      lines.push({
        index,
        since: this.#enforcer.countedSince_s(level, id),
        ...counted(filter, count),
        ...(living ? { open: living } : {}),
      });
    }
    return lines;
  }

  #open(
    own: CompiledLevel,
    flows: readonly CountedFlow[],
  ): ReadonlyMap<number, NonNullable<FilterReportLine['open']>> {
    const sums = new Map<number, { connections: number; packets: number; bytes: number }>();
    if (flows.length === 0) return sums;
    const judge = new Judge([own.boxes]);
    const addresses = new Set(this.#enforcer.addresses.map(({ family, lo }) => `${family} ${lo}`));
    for (const flow of flows) {
      const point = flowPoint(flow, (text) => addresses.has(addressValueOf(text)));
      if (!point) continue;
      const { twoway, oneway } = judge.at(point.direction, point.family, point.peer, point.service);
      const found = twoway.filter !== null && twoway.passes ? twoway : oneway;
      if (!found.passes || found.filter === null) continue;
      const sum = sums.get(found.filter) ?? { connections: 0, packets: 0, bytes: 0 };
      sums.set(found.filter, {
        connections: sum.connections + 1,
        packets: sum.packets + flow.packets,
        bytes: sum.bytes + flow.bytes,
      });
    }
    return sums;
  }
}

function counted(filter: Filter, count: number): Pick<FilterReportLine, 'judged' | 'packets' | 'refused'> {
  if (filter.action === 'deny') return { refused: count };
  return filter.oneway === true ? { packets: count } : { judged: count };
}
