import { expect } from 'chai';
import type { EngineSettings } from '../../protocol/engines.js';
import { until } from '../fakes/until.js';
import type { Tenancy } from '../scenario/tenancy.js';
import type { Computer } from './computer.js';
import type { Resident } from './resident.js';

/** A system of what the machine itself has: busybox, and the libraries that it needs. */
const makeSystem = `set -e
mkdir -p /srv/image/bin /srv/image/etc /srv/image/dev /srv/image/proc /srv/image/sys /srv/image/tmp /srv/image/run
cp "$(command -v busybox)" /srv/image/bin/busybox
for file in $(ldd /srv/image/bin/busybox | grep -o '/lib[^ ]*'); do
  mkdir -p "/srv/image$(dirname "$file")"
  cp -L "$file" "/srv/image$file"
done
for name in sh sleep head tail true; do ln -sf busybox "/srv/image/bin/$name"; done`;

/** As many processes as it may have, for a while, and then all the processor that it gets. */
const greedy = '(while :; do sleep 5 & done); while :; do :; done';
const bound_ms = 180_000;
/** Of each engine, while there is something of it. */
const groups = 'find /sys/fs/cgroup -type d -name "bm-*"';

interface Shown {
  readonly state: string;
  readonly since_ms?: number;
  readonly health?: string;
  readonly lastEnd?: { readonly how: string };
  readonly lastFailure?: { readonly code: string; readonly detail?: string };
  readonly usage?: { readonly memory_bytes: number; readonly processes: number };
}

/** The tenant's engines in a whole machine, under the packaged unit, where control groups are of version 2. */
export class GuestEngines {
  #image: string | undefined;

  constructor(
    private readonly computer: Computer,
    private readonly node: Resident,
    private readonly tenant: Tenancy,
  ) {}

  /** What was given to them is what they have, by the runtime that is there. */
  async areBounded(runtime: 'crun' | 'runc'): Promise<void> {
    await this.#run('greedy', {
      command: ['sh', '-c', greedy],
      memory_mb: 32,
      processes: 20,
      processor_thousandths: 200,
      probes: [{ kind: 'command', command: ['true'], every_s: 10, timeout_s: 60, onBad: 'tell' }],
    });
    const [group = ''] = (await this.computer.must(groups)).split('\n');
    const made = `ls /run/bmonitor/*/runtime/*/${runtime === 'crun' ? 'status' : 'state.json'}`;
    await this.computer.must(`stat -f -c %T /sys/fs/cgroup | grep -qx cgroup2fs && ${made}`);
    const limits = await this.computer.must(`cd ${group} && cat memory.max memory.swap.max pids.max cpu.max`);
    expect(limits.trim().split('\n')).to.deep.equal([String(32 * 1024 * 1024), '0', '20', '20000 100000']);
    await until(async () => {
      const counts = await this.computer.must(`cd ${group} && cat pids.events cpu.stat`);
      return /^max [1-9]/mu.test(counts) && /^nr_throttled [1-9]/mu.test(counts);
    }, bound_ms);
    const { usage } = await this.shown('greedy');
    expect(usage?.processes).to.be.greaterThan(0);
  }

  /** Who takes more memory is ended for it; the other is entered, frozen and goes on. */
  async areCommanded(): Promise<void> {
    await this.#run('hungry', {
      command: ['sh', '-c', 'head -c 200m /dev/zero | tail'],
      memory_mb: 16,
      restart: 'never',
    });
    expect((await this.#is('hungry', ({ state }) => state === 'stopped')).lastEnd).to.include({
      how: 'out-of-memory',
    });
    await this.#is('greedy', ({ health }) => health === 'good');
    await this.#ask({ type: 'engine.pause', name: 'greedy' });
    await this.#is('greedy', ({ state }) => state === 'paused');
    await this.#ask({ type: 'engine.resume', name: 'greedy' });
    await this.#is('greedy', ({ state }) => state === 'running');
  }

  async shown(name: string): Promise<Shown> {
    return (await this.#ask({ type: 'engine.read', name })) as unknown as Shown;
  }

  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.#ask({ type: 'engine.remove', name });
    await until(async () => (await this.computer.must(groups)).trim() === '', bound_ms);
  }

  async #run(name: string, settings: Omit<EngineSettings, 'image'>): Promise<void> {
    this.#image ??= await this.#import();
    await this.#ask({ type: 'engine.put', name, settings: { image: this.#image, ...settings } });
    await this.#ask({ type: 'engine.start', name });
    await this.#is(name, ({ state, lastEnd }) => state === 'running' || lastEnd !== undefined);
  }

  async #is(name: string, so: (shown: Shown) => boolean): Promise<Shown> {
    let shown = await this.shown(name);
    await until(async () => {
      shown = await this.shown(name);
      return so(shown);
    }, bound_ms).catch((error: unknown) => {
      throw new Error(`${name} is ${JSON.stringify(shown)}`, { cause: error });
    });
    return shown;
  }

  async #import(): Promise<string> {
    await this.computer.must(makeSystem);
    const words = `--dir /var/lib/bmonitor --lease ${this.tenant.lease} --json`;
    const said = await this.computer.must(`bmonitor engines import /srv/image ${words}`);
    return (JSON.parse(said) as { readonly digest: string }).digest;
  }

  #ask(command: Parameters<Resident['ask']>[0]): Promise<Readonly<Record<string, unknown>>> {
    return this.node.ask(command, this.tenant);
  }
}
