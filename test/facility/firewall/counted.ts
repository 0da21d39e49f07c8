import { until, type BedProcess, type Place } from '../bed/index.js';

/** How many packets for a UDP port came to the node, and how many its filters let through. */
export interface Counted {
  readonly came: number;
  readonly passed: number;
  /** At every station between: so that a loss is known by its place. */
  readonly stations: string;
}

/** Of two hooks of one priority, the one that was put there last sees a packet first: so `filtered` stands before the latch. */
const stations = {
  came: 'prerouting priority -450',
  tracked: 'prerouting priority -199',
  routed: 'input priority -1',
  filtered: 'input priority 1',
  passed: 'input priority 50',
} as const;
const names = Object.keys(stations) as readonly (keyof typeof stations)[];

/**
 * Counts packets in the node's own kernel: where they come in, before anything is looked at, and behind all filters. What is lost before, in
 * the queue of a busy processor, or after, in the buffer of a slow receiver, is no loss of the filters, and is not counted as one. The table
 * has an owner, so that no flush of another program takes it away.
 */
export class PacketCounts {
  private constructor(
    readonly place: Place,
    readonly process: BedProcess,
  ) {}

  static async at(place: Place, ports: readonly number[]): Promise<PacketCounts> {
    const lines = [
      'add table inet counted { flags owner; }',
      ...names.map((name) => `add chain inet counted ${name} { type filter hook ${stations[name]}; }`),
      ...ports.flatMap((port) =>
        names.flatMap((where) => [
          `add counter inet counted ${where}${port}`,
          `add rule inet counted ${where} iifname "${place.nic}" udp dport ${port} counter name ${where}${port}`,
        ]),
      ),
    ];
    const process = place.spawn(['nft', '-i'], { env: { HOME: '/nonexistent' } });
    process.write(`${lines.join('\n')}\n`);
    const counts = new PacketCounts(place, process);
    await until(async () => (await counts.#listed()).includes(`passed${ports.at(-1) ?? 0}`));
    return counts;
  }

  async of(port: number): Promise<Counted> {
    const text = await this.#listed();
    const number = (name: string): number =>
      Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`, 'u').exec(text)?.[1] ?? Number.NaN);
    const told = names.map((name) => `${name} ${number(`${name}${port}`)}`);
    return { came: number(`came${port}`), passed: number(`passed${port}`), stations: told.join(', ') };
  }

  #listed(): Promise<string> {
    return this.place.must(['sh', '-c', 'nft list table inet counted 2>/dev/null || true']);
  }
}
