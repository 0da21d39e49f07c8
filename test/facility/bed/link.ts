import { must } from './namespaces.js';
import { sourcePath } from './paths.js';
import type { PlacePlan } from './plan.js';
import { BedProcess } from './process.js';

export interface Weather {
  readonly delay_ms?: number;
  /** Up to so much more, at random; order is kept. */
  readonly jitter_ms?: number;
  /** The share of frames that is lost, 0 to 1, in each direction. */
  readonly loss?: number;
}

/** The cable of one place, handled at its far end, so that nothing the place does can undo it. */
export class Link {
  #wire: BedProcess | undefined;
  #said = 0;

  constructor(private readonly place: PlacePlan) {}

  /** Pulls the plug: the place sees its carrier go. */
  async cut(): Promise<void> {
    await this.#ip(`link set ${this.place.far.nic} down`);
  }

  async restore(): Promise<void> {
    await this.#ip(`link set ${this.place.far.nic} up`);
  }

  /** Makes the cable slow and lossy, both ways. Only for places on the facility's bridge. */
  async worsen(weather: Weather): Promise<void> {
    if (this.#wire === undefined) await this.#insertWire();
    const { delay_ms = 0, jitter_ms = 0, loss = 0 } = weather;
    const wire = this.#wire;
    wire?.write(`${JSON.stringify({ delay: delay_ms / 1000, jitter: jitter_ms / 1000, loss })}\n`);
    this.#said++;
    await wire?.says(new RegExp(`(set\\s+){${this.#said}}`));
  }

  async heal(): Promise<void> {
    const wire = this.#wire;
    if (wire === undefined) return;
    const { nic } = this.place.far;
    await this.#ip(`link del w${nic}`, `link set ${nic} master br0`);
    this.#wire = undefined;
    await wire.kill();
  }

  async #insertWire(): Promise<void> {
    const { nic, namespace } = this.place.far;
    if (this.place.kind === 'office') throw new Error('the cable of an office cannot be made worse');
    await this.#ip(
      `link set ${nic} nomaster`,
      `link add w${nic} type veth peer name x${nic}`,
      `link set w${nic} addrgenmode none up`,
      `link set x${nic} addrgenmode none master br0 up`,
    );
    const command = ['/usr/bin/python3', '-S', '-E', sourcePath('test/facility/bed/wire.py')];
    this.#wire = new BedProcess(namespace, [...command, nic, `w${nic}`]);
    this.#said = 0;
    await this.#wire.says(/ready/);
  }

  async #ip(...lines: readonly string[]): Promise<void> {
    await must('ip', ['-n', this.place.far.namespace, '-batch', '-'], lines.join('\n'));
  }
}
