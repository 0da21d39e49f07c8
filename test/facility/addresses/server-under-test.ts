import { distPath, type BedProcess, type Place } from '../bed/index.js';
import type { HeldAddress, Waiting } from '../../../console-cluster/dhcp/model.js';

/** The console's DHCP server, running on a place, spoken to through its input and output. */
export class ServerUnderTest {
  #calls = 0;

  private constructor(readonly process: BedProcess) {}

  static async start(place: Place): Promise<ServerUnderTest> {
    const program = distPath('test/facility/addresses/server-process.js');
    const folder = await place.dir('dhcp');
    const started = place.spawn([process.execPath, program, place.nic, place.ipv4, folder]);
    await started.says(/dhcp\.ready/);
    return new ServerUnderTest(started);
  }

  /** Addresses of the bed's own network, from 10.77.FIRST to 10.77.LAST. */
  async pool(first: string, last: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const pool = { name: 'hall', network: '10.77.0.0', length: 16, first, last, lease_s: 600, ...more };
    const result = (await this.#call('pool', pool)) as { ok: boolean };
    if (!result.ok) throw new Error(JSON.stringify(result));
  }

  async adopt(...machines: readonly { mac: string; node: string; fixed?: string }[]): Promise<void> {
    const all = machines.map((machine) => ({ ...machine, pool: 'hall' }));
    const results = (await this.#call('machines', all)) as readonly { ok: boolean }[];
    const wrong = results.find((result) => !result.ok);
    if (wrong !== undefined) throw new Error(JSON.stringify(wrong));
  }

  async waiting(): Promise<readonly Waiting[]> {
    return (await this.#call('waiting')) as readonly Waiting[];
  }

  async held(): Promise<readonly HeldAddress[]> {
    return (await this.#call('held')) as readonly HeldAddress[];
  }

  async #call(what: string, given?: unknown): Promise<unknown> {
    const id = ++this.#calls;
    this.process.write(`${JSON.stringify({ id, do: what, with: given })}\n`);
    const match = await this.process.says(new RegExp(`^\\{"answer":${id},"result":(.*)\\}$`, 'm'));
    return JSON.parse(match[1] ?? 'null');
  }
}
