import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Capture, type CaptureOptions } from './capture.js';
import { ProcessClock } from './clock.js';
import { Link } from './link.js';
import { newBedName } from './names.js';
import { bedDir, createNamespaces, netnsDir, removeAbandonedBeds, removeBed } from './namespaces.js';
import { planBed, type BedPlan, type PlacePlan } from './plan.js';
import { Probe } from './probe.js';
import { BedProcess, runIn, type RunOptions, type RunResult } from './process.js';
import { Traffic } from './traffic.js';

/** One network namespace of a bed: a node, the facility's console, the router, or a customer's office. */
export class Place extends Traffic {
  readonly name: string;
  readonly namespace: string;
  readonly nic: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly linkLocal: string;
  readonly link: Link;

  constructor(
    private readonly bed: Bed,
    probe: Probe,
    readonly plan: PlacePlan,
  ) {
    super(probe, join(netnsDir, plan.namespace), plan.nic);
    this.name = plan.name;
    this.namespace = plan.namespace;
    this.nic = plan.nic;
    this.mac = plan.mac;
    this.ipv4 = plan.ipv4;
    this.ipv6 = plan.ipv6;
    this.linkLocal = plan.linkLocal;
    this.link = new Link(plan);
  }

  /** Runs a program here to its end. */
  async run(command: readonly string[], options?: RunOptions): Promise<RunResult> {
    return runIn(this.namespace, command, options);
  }

  /** As `run`, but throws what it wrote to stderr if it fails; gives what it wrote to stdout. */
  async must(command: readonly string[], options?: RunOptions): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(command, options);
    if (code !== 0)
      throw new Error(`${this.name}: ${command.join(' ')}: ${code ?? signal}\n${stderr}${stdout}`);
    return stdout;
  }

  /** Starts a long-lived process here; it ends with the bed at the latest. */
  spawn(command: readonly string[], options?: RunOptions): BedProcess {
    const process = new BedProcess(this.namespace, command, options);
    this.bed.processes.add(process);
    return process;
  }

  /** Captures this place's packets to a pcap file in the bed's folder, or where `file` says. */
  async capture(options: CaptureOptions & { file?: string } = {}): Promise<Capture> {
    const file = options.file ?? join(this.bed.dir, `${this.name}-${this.bed.nextNumber()}.pcap`);
    return Capture.start(this.namespace, this.nic, file, options);
  }

  /** Datagrams as fast as they go, or `rate` a second, numbered, from a process of their own. Stopping says how many left. */
  async flood(target: {
    to: string;
    port: number;
    from?: string;
    fromPort?: number;
    rate?: number;
  }): Promise<Flood> {
    const probe = new Probe();
    const { handle } = await probe.ask({ do: 'flood', at: join(netnsDir, this.namespace), ...target });
    return {
      stop: async () => {
        const reply = await probe.close(Number(handle));
        await probe.end();
        return { sent: Number(reply['sent']), failed: Number(reply['failed']) };
      },
    };
  }

  /** A folder of this place's own, made on first use. */
  async dir(name = 'data'): Promise<string> {
    const dir = join(this.bed.dir, this.name, name);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return dir;
  }

  /** A wall clock for one process of this place: give its `env` to `spawn`. */
  async clock(): Promise<ProcessClock> {
    return ProcessClock.make(this.bed.dir, `${this.name}-${this.bed.nextNumber()}`);
  }
}

export interface Flood {
  stop(): Promise<{ sent: number; failed: number }>;
}

/**
 * A facility on one machine: places joined by a bridge and a router, all under names of its own, so that any number of
 * beds stand side by side. `remove` leaves nothing; what a crash leaves, the next `create` removes.
 */
export class Bed {
  readonly processes = new Set<BedProcess>();
  readonly places: readonly Place[];
  #number = 0;

  private constructor(
    readonly name: string,
    private readonly probe: Probe,
    plans: readonly PlacePlan[],
  ) {
    this.places = plans.map((plan) => new Place(this, probe, plan));
  }

  static async create(plan: BedPlan = {}): Promise<Bed> {
    await removeAbandonedBeds();
    const name = newBedName();
    const places = planBed(name, plan);
    await mkdir(bedDir(name), { mode: 0o700 });
    try {
      await createNamespaces(name, places);
    } catch (error) {
      await removeBed(name);
      throw error;
    }
    return new Bed(name, new Probe(), places);
  }

  /** A folder that goes with the bed. */
  get dir(): string {
    return bedDir(this.name);
  }

  place(name: string): Place {
    const found = this.places.find((place) => place.name === name);
    if (found === undefined)
      throw new Error(`no place ${name} among ${this.places.map((p) => p.name).join(' ')}`);
    return found;
  }

  get nodes(): readonly Place[] {
    return this.places.filter((place) => place.plan.kind === 'node');
  }

  get console(): Place {
    return this.place('console');
  }

  get router(): Place {
    return this.place('router');
  }

  office(customer: string): Place {
    return this.place(`office-${customer}`);
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** Kills all that runs in the bed and removes its namespaces, links and files. */
  async remove(): Promise<void> {
    await this.probe.end();
    await Promise.all([...this.processes].map((process) => process.kill()));
    await removeBed(this.name);
  }
}
