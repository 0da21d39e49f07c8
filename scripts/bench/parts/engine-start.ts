import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bed, until } from '../../../test/facility/bed/index.js';
import { importInto, smallSystem } from '../../../test/facility/engines/rig.js';
import { Commanded } from '../../../test/facility/firewall/commanded.js';
import type { BenchTools, Measurement } from '../suite.js';

const name = 'one';
/** It answers by a file that everybody outside can see. */
const answers = ['sh', '-c', 'echo > /answer; exec sleep 100000'];

interface Spec {
  root: { path: string };
  mounts: { type: string }[];
  linux: {
    cgroupsPath: string;
    uidMappings: { hostID: number }[];
    namespaces: { type: string; path?: string }[];
  };
}

async function seen(file: string): Promise<void> {
  for (const end = performance.now() + 20_000; !existsSync(file);) {
    if (performance.now() > end) throw new Error('it does not answer');
    await new Promise((resolve) => setTimeout(resolve, 0.5));
  }
}

/** Like an engine of the node, but made with the tools themselves: a network of its own, a layer over the image, and the runtime. */
class ByHand {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bmonitor-hand-'));
  readonly #first: number;

  constructor(config: string, system: string) {
    const spec = JSON.parse(config) as Spec;
    this.#first = spec.linux.uidMappings[0]?.hostID ?? 0;
    chmodSync(this.#folder, 0o711);
    cpSync(system, join(this.#folder, 'image'), { recursive: true, verbatimSymlinks: true });
    for (const one of ['upper', 'work', 'root']) mkdirSync(join(this.#folder, one));
    const words = ['-R', `${this.#first}:${this.#first}`];
    execFileSync('chown', [...words, ...['image', 'upper', 'work'].map((one) => join(this.#folder, one))]);
    spec.root.path = join(this.#folder, 'root');
    spec.mounts = spec.mounts.filter(({ type }) => type !== 'bind');
    spec.linux.cgroupsPath = '/bmonitor-bench';
    spec.linux.namespaces = spec.linux.namespaces.map((one) =>
      one.type === 'network' ? { ...one, path: '/run/netns/bmonitor-hand' } : one,
    );
    writeFileSync(join(this.#folder, 'config.json'), JSON.stringify(spec));
  }

  /** `whole`: with network and layer made in the same breath; else they stand already, and only the runtime is called. */
  async took(whole: boolean): Promise<number> {
    if (!whole) this.#run(this.#surroundings());
    const started = performance.now();
    this.#run([...(whole ? this.#surroundings() : []), this.#runtime()]);
    await seen(join(this.#folder, 'upper/answer'));
    const took_ms = performance.now() - started;
    spawnSync('runc', ['--root', join(this.#folder, 'runtime'), 'delete', '--force', 'hand']);
    // The link by itself: with its namespace it would go only in a while, and the next one has the same name.
    this.#run([`umount ${this.#folder}/root`, 'ip link delete bmhand', 'ip netns delete bmonitor-hand']);
    rmSync(join(this.#folder, 'upper/answer'), { force: true });
    return took_ms;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #surroundings(): readonly string[] {
    const at = this.#folder;
    return [
      'ip netns add bmonitor-hand',
      'ip link add bmhand type veth peer name eth0 netns bmonitor-hand',
      'ip link set bmhand up',
      'ip route add 198.18.200.2/32 dev bmhand',
      'ip -n bmonitor-hand link set lo up',
      'ip -n bmonitor-hand addr add 198.18.200.2/32 dev eth0',
      'ip -n bmonitor-hand link set eth0 up',
      'ip -n bmonitor-hand route add 169.254.1.1 dev eth0 scope link',
      'ip -n bmonitor-hand route add default via 169.254.1.1 dev eth0',
      `mount -t overlay overlay -o lowerdir=${at}/image,upperdir=${at}/upper,workdir=${at}/work ${at}/root`,
    ];
  }

  #runtime(): string {
    return `runc --root ${this.#folder}/runtime run --detach --bundle ${this.#folder} hand </dev/null >/dev/null 2>&1`;
  }

  #run(lines: readonly string[]): void {
    execFileSync('sh', ['-ec', lines.join('\n')], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

/** Where the engine's own layer is, and the runtime's description of it. */
function placesOf({ dir, lease }: Commanded): { readonly layers: string; readonly runs: string } {
  const engines = join(dir, 'data', `${lease}.0`, 'data', 'engines');
  const [id = ''] = readdirSync(engines);
  const run = createHash('sha256').update(dir).digest('hex').slice(0, 12);
  return { layers: join(engines, id, 'layers', '1', 'upper'), runs: join('/run/bmonitor', run, 'i') };
}

/** The engine is started by a sealed command; it counts until what it does is seen. */
export async function startFigures({ quick }: BenchTools): Promise<readonly Measurement[]> {
  const bed = await Bed.create({ nodes: ['node'] });
  const system = smallSystem();
  const node = await Commanded.at(bed.place('node'), 'network');
  const figures = { node: [] as number[], whole: [] as number[], alone: [] as number[] };
  try {
    const set = { otherwise: 'deny', filters: [{ action: 'allow' }] };
    await node.must(0, { type: 'filters.replace', expect: 0, set });
    const settings = { image: importInto(node, system), command: answers, restart: 'never' as const };
    await node.must(1, { type: 'engine.put', name, settings });
    const stopped = async (): Promise<unknown> =>
      until(async () => (await node.must(1, { type: 'engine.read', name }))['state'] === 'stopped');
    await node.must(1, { type: 'engine.start', name });
    await until(() => existsSync(join(dirOf(node), 'answer')));
    const { layers, runs } = placesOf(node);
    const hand = new ByHand(
      readFileSync(join(runs, readdirSync(runs)[0] ?? '', 'config.json'), 'utf8'),
      system,
    );
    for (let round = -2; round < (quick ? 10 : 30); round += 1) {
      await node.must(1, { type: 'engine.kill', name });
      await stopped();
      rmSync(join(layers, 'answer'), { force: true });
      const started = performance.now();
      void node.must(1, { type: 'engine.start', name });
      await seen(join(layers, 'answer'));
      const took_ms = performance.now() - started;
      const [whole, alone] = [await hand.took(true), await hand.took(false)];
      if (round < 0) continue;
      figures.node.push(took_ms);
      figures.whole.push(whole);
      figures.alone.push(alone);
    }
    hand.remove();
    await node.must(1, { type: 'engine.remove', name });
    await until(() => readdirSync(runs).length === 0);
  } finally {
    await node.close();
    await bed.remove();
    rmSync(system, { recursive: true, force: true });
  }
  const [whole, alone] = ['runc with a network and a layer, by hand', 'runc alone, by hand'];
  return [
    { name: whole, unit: 'ms', values: figures.whole },
    { name: alone, unit: 'ms', values: figures.alone },
    {
      name: 'command to first answer',
      unit: 'ms',
      values: figures.node,
      baseline: whole,
      paired: true,
      wanted: { of: 'ratio', at: 'most', value: 1.3 },
    },
    { name: 'the same', unit: 'ms', values: figures.node, baseline: alone, paired: true },
  ];
}

function dirOf({ dir, lease }: Commanded): string {
  const engines = join(dir, 'data', `${lease}.0`, 'data', 'engines');
  const [id = ''] = existsSync(engines) ? readdirSync(engines) : [];
  const upper = join(engines, id, 'layers', '1', 'upper');
  return id !== '' && statSync(upper, { throwIfNoEntry: false }) ? upper : '/nowhere';
}
