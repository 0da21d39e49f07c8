import { join } from 'node:path';
import { distPath, until, type BedProcess, type Place } from '../bed/index.js';

/** The node's DHCP client, running on a place without an address. */
export class ClientUnderTest {
  private constructor(
    private readonly place: Place,
    readonly process: BedProcess,
  ) {}

  static async start(place: Place): Promise<ClientUnderTest> {
    const program = distPath('test/facility/addresses/client-process.js');
    const memory = join(await place.dir(), 'address');
    return new ClientUnderTest(place, place.spawn([process.execPath, program, place.nic, memory]));
  }

  /** Waits until it has said that it stands so, `count` times. */
  async becomes(state: string, count = 1): Promise<void> {
    await this.process.says(new RegExp(`("state":"${state}"[^]*){${count}}`));
  }

  /** The address that it applied last, once it did so `count` times. */
  async applied(count = 1): Promise<string> {
    const form = /"event":"address.applied","address":"([\d.]+)"/g;
    const all = await until(
      () => {
        const found = [...this.process.log.matchAll(form)];
        return found.length >= count ? found : undefined;
      },
      { what: () => `an address in:\n${this.process.log}` },
    );
    return all.at(-1)?.[1] ?? '';
  }

  release(): void {
    this.process.write('release\n');
  }

  async addresses(): Promise<readonly string[]> {
    return addressesOf(this.place);
  }
}

/** The IPv4 addresses on a place's interface. */
export async function addressesOf(place: Place): Promise<readonly string[]> {
  const listed = JSON.parse(
    await place.must(['ip', '-json', '-4', 'address', 'show', 'dev', place.nic]),
  ) as readonly { addr_info?: readonly { local: string; prefixlen: number }[] }[];
  return listed.flatMap(({ addr_info = [] }) => addr_info.map((it) => `${it.local}/${it.prefixlen}`));
}
