import { until, type BedProcess, type Place } from '../bed/index.js';

/** How many packets for a UDP port came to the node, and how many its filters let through. */
export interface Counted {
  readonly came: number;
  readonly passed: number;
}

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
      'add chain inet counted came { type filter hook prerouting priority -450; }',
      'add chain inet counted passed { type filter hook input priority 50; }',
      ...ports.flatMap((port) =>
        ['came', 'passed'].flatMap((where) => [
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
    return { came: number(`came${port}`), passed: number(`passed${port}`) };
  }

  #listed(): Promise<string> {
    return this.place.must(['sh', '-c', 'nft list table inet counted 2>/dev/null || true']);
  }
}
