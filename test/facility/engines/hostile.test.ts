import { expect } from 'chai';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bed, until, type Place } from '../bed/index.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import { Commanded } from '../firewall/commanded.js';
import { sealedFor } from './sealed.js';
import { importInto } from './rig.js';
import { pythonSystem } from './systems.js';

const program = fileURLToPath(new URL('../../../../test/facility/engines/hostile.py', import.meta.url));

const client = fileURLToPath(new URL('../../../../docs/examples/engine-client.py', import.meta.url));
const worker = { name: 'box', of: 'worker-1' } as const;

interface Read {
  readonly state: string;
  readonly restarts: number;
  readonly health?: string;
  readonly lastEnd?: { readonly how: string; readonly code?: number };
  readonly lastFailure?: unknown;
  /** What it says that it could do. */
  readonly error?: { readonly text: string };
}

/** It may send, and go to twice its memory; the address is the one that the third engine of a node gets. */
const greedy: Partial<EngineSettings> = {
  memory_most_mb: 192,
  messages: { port: 7411 },
  env: { BOX: '100.96.0.3' },
};

describe('a hostile engine', function () {
  this.timeout(600_000);
  let bed: Bed;
  let node: Place;
  let other: Place;
  let commanded: Commanded;
  let image: string;
  let folder: string;

  const read = async (name: string): Promise<Read> =>
    (await commanded.must(1, { type: 'engine.read', name })) as unknown as Read;

  async function run(
    name: string,
    command: readonly string[],
    more: Partial<EngineSettings> = {},
  ): Promise<void> {
    const settings = {
      image,
      command,
      disk_mb: 64,
      memory_mb: 96,
      processes: 64,
      restart: 'never' as const,
      ...more,
    };
    await commanded.must(1, { type: 'engine.put', name, settings });
    await commanded.must(1, { type: 'engine.start', name });
    await until(async () => {
      const shown = await read(name);
      if (shown.lastFailure !== undefined) throw new Error(JSON.stringify(shown.lastFailure));
      return shown.state === 'running' || shown.lastEnd !== undefined;
    });
  }

  /** Removed only when it has ended, so that the node that is closed after it leaves nothing. */
  async function end(name: string): Promise<void> {
    await commanded.must(1, { type: 'engine.kill', name });
    await until(async () => (await read(name)).state === 'stopped');
    await commanded.must(1, { type: 'engine.remove', name });
  }

  async function nothingWon(): Promise<void> {
    await until(async () => (await read('hostile')).lastEnd !== undefined);
    const { lastEnd, error } = await read('hostile');
    expect(error?.text ?? '').to.equal('');
    expect(lastEnd).to.deep.include({ how: 'exit', code: 0 });
  }

  async function endsFor(how: string): Promise<void> {
    await until(async () => (await read('hostile')).lastEnd !== undefined, { bound_ms: 60_000 });
    expect((await read('hostile')).lastEnd?.how).to.equal(how);
  }

  /** BMonitor answers, what is forbidden is still dropped, and what is allowed still works. */
  async function allIsWell(): Promise<void> {
    expect(await commanded.must(1, { type: 'status' })).to.include({ status: 'active' });
    expect(await other.tryTcp({ to: node.ipv4, port: 81 })).to.equal('silent');
    await until(async () => (await other.tryTcp({ to: node.ipv4, port: 80 })) === 'answered');
    for (const name of ['web', 'shut', 'box']) expect((await read(name)).restarts).to.equal(0);
    await until(async () => (await read('web')).health === 'good');
    await until(
      async () =>
        (await commanded.ask(1, { type: 'engine.ask', ...worker, text: 'well?' })).result !== undefined,
    );
  }

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    commanded = await Commanded.at(node, 'network');
    folder = pythonSystem();
    cpSync(program, join(folder, 'hostile.py'));
    cpSync(client, join(folder, 'engine-client.py'));
    image = importInto(commanded, folder);
    await commanded.must(0, {
      type: 'filters.replace',
      expect: 0,
      set: { otherwise: 'deny', filters: [{ action: 'allow' }] },
    });
    await commanded.must(1, {
      type: 'filters.replace',
      expect: 1,
      set: { otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'tcp', ports: [81] }] },
    });
    const answering = (port: number): string[] => [
      'sh',
      '-c',
      `while :; do echo hello | nc -l -p ${port}; done`,
    ];
    await commanded.must(1, {
      type: 'secret.set',
      name: 'theirs',
      value: await sealedFor(commanded, 'theirs', 'nobody else knows this'),
    });
    const tcp = (port: number): Partial<EngineSettings> => ({ ports: [{ port, protocol: 'tcp' }] });
    const probes = [{ kind: 'tcp', port: 80, every_s: 1 }] as const;
    await run('web', answering(80), { ...tcp(80), probes, secrets: ['theirs'] });
    await run('shut', answering(81), tcp(81));
    await run('box', ['python3', '/engine-client.py'], { messages: { port: 7410 }, memory_mb: 200 });
    await allIsWell();
  });
  after(async () => {
    for (const name of ['web', 'shut', 'box']) await end(name);
    await commanded.close();
    await bed.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await end('hostile');
    await until(async () => {
      const { engines } = (await commanded.must(1, { type: 'engines.read' })) as { engines: unknown[] };
      return engines.length === 3;
    });
  });

  for (const [title, what, word] of [
    [
      'changes nothing of the kernel: /proc, /sys, devices, mounts, namespaces, modules, keys, clock',
      'kernel',
      '-',
    ],
    ['neither sees, signals, traces nor reads what is not its own', 'others', String(process.pid)],
    ['is given no secret, memory or message that is not its own, however it asks', 'asks', '-'],
  ] as const)
    it(title, async () => {
      await run('hostile', ['python3', '/hostile.py', what, word]);
      await nothingWon();
      await allIsWell();
    });

  it('sends no packet that is not of its address: raw, ARP, neighbour discovery, false sources, routes', async () => {
    const heard = other.must([
      'sh',
      '-c',
      'timeout 15 tcpdump -n -i any "src host 10.66.66.66 or src net 172.16.0.0/12 or (udp dst port 9001 and not src host $0)" 2>&1; true',
      node.ipv4,
    ]);
    await run('hostile', ['python3', '/hostile.py', 'packets', other.ipv4]);
    await nothingWon();
    expect(await heard).to.contain('\n0 packets captured');
    await allIsWell();
  });

  for (const [title, what] of [
    ['forks without end', 'fork_bomb'],
    ['takes memory without end', 'memory'],
    ['fills shared memory', 'shared_memory'],
    ['fills the disk', 'disk'],
    ['makes files without end', 'many_files'],
    ['opens files without end', 'descriptors'],
    ['floods the network with packets', 'flood'],
    ['opens connections without end', 'connections'],
    ['fills its log', 'logs'],
    ['floods its own socket with huge and broken lines, and descriptors', 'lines'],
    ['floods its own socket with all that it may ask for', 'ask_flood'],
    ['floods another engine with messages, and its port with rubbish', 'message_flood'],
    ['asks for memory without end, and uses it', 'memory_greed'],
  ] as const)
    it(`harms only itself when it ${title}`, async () => {
      await run('hostile', ['python3', '/hostile.py', what, other.ipv4], greedy);
      await allIsWell();
      if (what === 'memory' || what === 'memory_greed') await endsFor('out-of-memory');
      if (what === 'disk' || what === 'many_files') await endsFor('out-of-disk');
      await allIsWell();
      // It did what it was made for: a program that stumbles ends with an exit code.
      const { lastEnd } = await read('hostile');
      expect(lastEnd?.how ?? 'at it still').to.be.oneOf([
        'at it still',
        'out-of-memory',
        'out-of-disk',
        'signal',
      ]);
    });
});
