import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Door, DoorOrder, EngineDoors } from '../../ports/engines.js';
import type { Cgroups } from './cgroups.js';
import { doorScript } from './door-script.js';
import { bornOf, type Handle, type Instances } from './instances.js';

export interface DoorParts {
  /** What runs of an engine now. */
  readonly handleOf: (id: string) => Handle | undefined;
  readonly instances: Instances;
  readonly cgroups: Cgroups;
  readonly runtime: string;
}

/** Of what runc writes down of a container, the part that matters here. */
interface Noted {
  readonly config: { readonly namespaces: readonly { readonly type: string }[] };
}

/** Ways into a running engine for who commands it, each kept by a helper that ends with it (decision 0031). */
export class OciDoors implements EngineDoors {
  readonly #parts: DoorParts;
  #open = 0;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  async open(id: string, order: DoorOrder): Promise<Result<Door>> {
    const handle = this.#parts.handleOf(id);
    if (!handle || (await bornOf(handle.pid)) !== handle.born)
      return refuse('not-that-way', 'it does not run');
    if (this.#open >= limits.engine_doors_max) return refuse('too-many', 'doors of engines');
    if (order.kind !== 'connect' && (await this.#parts.cgroups.isFrozen(handle.instance)))
      return refuse('not-that-way', 'it is paused');
    this.#open += 1;
    const run = this.#parts.instances.folderOf(handle.instance);
    const name = `exec-${randomBytes(6).toString('hex')}`;
    try {
      const words = await this.#words(handle, order, join(run, name));
      return ok(
        this.#opened(words, () => {
          this.#open -= 1;
          void rm(join(run, `${name}.json`), { force: true });
        }),
      );
    } catch (error) {
      this.#open -= 1;
      return refuse('engine-failed', messageOf(error));
    }
  }

  async #words(handle: Handle, order: DoorOrder, file: string): Promise<readonly string[]> {
    const { instances } = this.#parts;
    const runtime = handle.runtime ?? this.#parts.runtime;
    const run = instances.folderOf(handle.instance);
    switch (order.kind) {
      case 'connect':
        return ['connect', `/proc/${handle.pid}/ns/net`, String(order.port)];
      case 'attach':
        return ['attach', join(run, 'attach'), join(run, 'ctl')];
      case 'exec': {
        // In a file in memory and not among the words: those everybody on the machine can read.
        await writeFile(`${file}.json`, JSON.stringify(await processOf(run, order)), { mode: 0o600 });
        const { rows, columns } = order.terminal ?? { rows: 0, columns: 0 };
        const root = runtime.endsWith('/runc') ? await this.#shadow(handle.instance) : instances.runtimeRoot;
        const all = [runtime, '--root', root, 'exec', '--process', `${file}.json`, handle.instance];
        return ['exec', `/proc/${handle.pid}/ns/net`, String(rows), String(columns), ...all];
      }
    }
  }

  /**
   * The runtime enters the user namespace first, and from there it may not enter a network namespace that is the machine's and not the
   * engine's. So it is started inside the network, and its notes on the engine are copied without that namespace.
   */
  async #shadow(instance: string): Promise<string> {
    const { instances } = this.#parts;
    const root = join(instances.folderOf(instance), 'shadow');
    const state = JSON.parse(
      await readFile(join(instances.runtimeRoot, instance, 'state.json'), 'utf8'),
    ) as Noted;
    const namespaces = state.config.namespaces.filter(({ type }) => type !== 'NEWNET');
    const text = JSON.stringify({ ...state, config: { ...state.config, namespaces } });
    await mkdir(join(root, instance), { recursive: true, mode: 0o700 });
    // Whole at any moment: another command may be beginning.
    const file = join(root, instance, randomBytes(6).toString('hex'));
    await writeFile(file, text, { mode: 0o600 });
    await rename(file, join(root, instance, 'state.json'));
    return root;
  }

  #opened(words: readonly string[], over: () => void): Door {
    const child = spawn('/usr/bin/perl', ['-e', doorScript, ...words], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        BM_MACHINE: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      },
    });
    return doorOf(child, over);
  }
}

function doorOf(child: ChildProcessByStdio<Writable, Readable, null>, over: () => void): Door {
  const { stdin, stdout } = child;
  let gone = false;
  const leave = (): void => {
    if (!gone) over();
    gone = true;
    stdin.destroy();
  };
  child.once('error', () => {
    stdout.destroy();
    leave();
  });
  child.once('exit', leave);
  // Whoever is on the other side of a pipe may be gone.
  stdin.on('error', () => {});
  return {
    output: stdout,
    async write(bytes) {
      if (!gone && !stdin.write(bytes))
        await new Promise<void>((resolve) => {
          const done = (): void => {
            stdin.off('drain', done).off('close', done);
            resolve();
          };
          stdin.once('drain', done).once('close', done);
        });
      return !gone;
    },
    close() {
      if (!gone) child.kill('SIGTERM');
    },
  };
}

/** The process of the engine itself, with other words: the same rights, the same limits. */
async function processOf(run: string, order: DoorOrder & { kind: 'exec' }): Promise<object> {
  const spec = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')) as {
    readonly process: { readonly env: readonly string[] };
  };
  const env = new Map(spec.process.env.map((line) => [line.slice(0, line.indexOf('=')), line]));
  if (order.terminal && !env.has('TERM')) env.set('TERM', 'TERM=xterm');
  for (const [name, value] of Object.entries(order.env ?? {})) env.set(name, `${name}=${value}`);
  return {
    ...spec.process,
    args: order.command,
    env: [...env.values()],
    terminal: order.terminal !== undefined,
    // The runtime would tell it a moment after the command began.
    ...(order.terminal
      ? { consoleSize: { height: order.terminal.rows, width: order.terminal.columns } }
      : {}),
  };
}
