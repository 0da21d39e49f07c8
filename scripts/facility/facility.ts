import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { powerExits } from '../../bmonitor/cli/output.js';
import { adoptNodes, gateway_port } from './adopt.js';
import { leaseNodes } from './leases.js';
import { deploySoftware, runsSoftware } from './software.js';
import { Bed, distPath, endEngines, type BedProcess, type Place } from '../../test/facility/bed/index.js';

/** What one run of `npm start` stands up. Small keys: they are made while somebody waits, and guard nothing. */
export const customers = ['alder', 'birch'] as const;
export type Customer = (typeof customers)[number];
export const nodesOf: Readonly<Record<Customer, readonly string[]>> = {
  alder: ['node-1', 'node-2', 'node-3', 'node-4'],
  birch: ['node-5', 'node-6', 'node-7', 'node-8'],
};
export const key_bits = '2048';
const passphrase = 'only for trying things out\n';

/** The ports of the consoles' pages. */
export type Ports = Readonly<Record<'cluster' | Customer, number>>;

/** A console's daemon with its command line. */
export class ConsoleHandle {
  process: BedProcess | undefined;

  constructor(
    readonly program: 'console-cluster' | 'console-app',
    readonly place: Place,
    readonly dir: string,
    readonly passphraseFile: string,
    /** Where its page is, on the loopback of its place. */
    readonly port: number,
  ) {}

  /** How a person calls it: console-cluster, console-app-alder, console-app-birch. */
  get name(): string {
    return this.program === 'console-app' ? this.place.name.replace('office', 'console-app') : this.program;
  }

  get card(): string {
    return join(this.dir, 'console.pub.json');
  }

  command(...args: readonly string[]): string[] {
    return [process.execPath, distPath(`${this.program}/cli/index.js`), '--dir', this.dir, ...args];
  }

  /** Runs its command line to the end and gives what it printed; throws what it said if it refused. */
  async cli(...args: readonly string[]): Promise<string> {
    return this.place.must(this.command(...args));
  }

  /** The same, read as JSON. */
  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.cli(...args, '--json')) as unknown;
  }

  async run(): Promise<void> {
    this.process = this.place.spawn(this.command('run', '--passphrase-file', this.passphraseFile));
    await this.process.says(/"event":"listening"/);
  }
}

export class NodeHandle {
  process: BedProcess | undefined;

  constructor(
    readonly place: Place,
    readonly dir: string,
  ) {}

  get name(): string {
    return this.place.name;
  }

  get card(): string {
    return join(this.dir, 'card-0.json');
  }

  async run(): Promise<void> {
    const bmonitor = [process.execPath, distPath('bmonitor/cli/index.js')];
    const started = this.place.spawn([...bmonitor, 'run', '--dir', this.dir, '--power', 'process']);
    this.process = started;
    await started.says(/"event":"node\.ready"/);
    // In the place of a machine's power: who is told to reboot is started anew, who is told to switch off stays off.
    void started.ended.then(async ({ code }) => {
      if (code === powerExits.reboot && this.process === started) await this.run();
    });
  }
}

/** Eight nodes of two customers, the facility's console, and a console at each customer's: real processes in a bed. */
export class Facility {
  /** Unix sockets that lead to the consoles' pages. */
  readonly relays = new Map<ConsoleHandle, string>();

  private constructor(
    readonly bed: Bed,
    readonly cluster: ConsoleHandle,
    readonly apps: Readonly<Record<Customer, ConsoleHandle>>,
    readonly nodes: readonly NodeHandle[],
  ) {}

  static async build(
    tell: (what: string) => void,
    ports: Ports = { cluster: 7400, alder: 7401, birch: 7402 },
  ): Promise<Facility> {
    const bed = await Bed.create({ nodes: [...nodesOf.alder, ...nodesOf.birch], offices: customers });
    try {
      const facility = await Facility.#furnish(bed, ports);
      tell('the facility, its network and its consoles are made');
      await facility.#start(tell);
      return facility;
    } catch (error) {
      await bed.remove();
      throw error;
    }
  }

  static async #furnish(bed: Bed, ports: Ports): Promise<Facility> {
    const cluster = await makeConsole(bed, 'console-cluster', bed.console, ports.cluster);
    const [alder, birch] = await Promise.all(
      customers.map(async (name) => makeConsole(bed, 'console-app', bed.office(name), ports[name])),
    );
    if (alder === undefined || birch === undefined) throw new Error('two customers were named');
    const nodes = await Promise.all(
      bed.nodes.map(async (place) => new NodeHandle(place, join(await place.dir('bmonitor')))),
    );
    return new Facility(bed, cluster, { alder, birch }, nodes);
  }

  async #start(tell: (what: string) => void): Promise<void> {
    const { consoles } = this;
    await Promise.all(consoles.map(async (it) => initConsole(it)));
    await Promise.all(consoles.map(async (it) => it.run()));
    await Promise.all(consoles.map(async (it) => this.#relay(it)));
    tell('three consoles have their keys, and run');
    await adoptNodes(this);
    tell('eight machines are adopted: each side’s code was typed at the other');
    await Promise.all(this.nodes.map(async (it) => it.run()));
    await leaseNodes(this);
    tell('every node is leased, taken by its customer, and within its boundary');
    if (!runsSoftware()) return;
    await deploySoftware(this);
    tell('alder runs two web servers, a load balancer and a cache on node-1');
  }

  async #relay(it: ConsoleHandle): Promise<void> {
    const socket = join(this.bed.dir, `${it.place.name}.sock`);
    const relay = [
      process.execPath,
      distPath('scripts/facility/relay.js'),
      socket,
      '127.0.0.1',
      String(it.port),
    ];
    await it.place.spawn(relay).says(/relay ready/);
    this.relays.set(it, socket);
  }

  /** All consoles, the facility's first. */
  get consoles(): readonly ConsoleHandle[] {
    return [this.cluster, ...customers.map((customer) => this.app(customer))];
  }

  node(name: string): NodeHandle {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  app(customer: Customer): ConsoleHandle {
    return this.apps[customer];
  }

  async remove(): Promise<void> {
    await this.bed.remove();
    for (const { dir } of this.nodes) await endEngines(dir);
  }
}

export async function makeConsole(
  bed: Bed,
  program: 'console-cluster' | 'console-app',
  place: Place,
  port: number,
): Promise<ConsoleHandle> {
  const passphraseFile = join(bed.dir, `passphrase-${place.name}`);
  await writeFile(passphraseFile, passphrase, { mode: 0o600 });
  return new ConsoleHandle(program, place, join(await place.dir('.'), program), passphraseFile, port);
}

async function initConsole(it: ConsoleHandle): Promise<void> {
  const name = it.program === 'console-cluster' ? 'facility' : it.place.name.replace('office-', '');
  const keys = ['--passphrase-file', it.passphraseFile, '--key-bits', key_bits];
  // Asked often, so that whoever watches sees changes at once.
  const pace = ['--ask-every', '1000', '--late', '3000', '--unknown', '8000'];
  const gateway =
    it.program === 'console-cluster'
      ? ['--gateway', it.place.ipv4, '--gateway-port', String(gateway_port)]
      : [];
  await it.cli('init', '--name', name, ...keys, ...pace, ...gateway, '--api-port', String(it.port));
}

/** A link that opens a console's page once. */
export async function pageLink(it: ConsoleHandle): Promise<string> {
  return (await it.cli('open')).trim();
}
