import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from '../../../protocol/commands.js';
import type { EngineSettings } from '../../../protocol/engines.js';
import type { NodeSession, StreamWriter } from '../../../console/nodes/session.js';
import { RecordReader, recordKinds } from '../../../protocol/records.js';
import type { Result } from '../../../protocol/result.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { cli, NodeProcess } from '../../scenario/node-process.js';
import { rent, type Tenancy } from '../../scenario/tenancy.js';

/** A folder with busybox and the libraries it needs: the smallest system that can do something. */
export function smallSystem(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bmonitor-image-'));
  chmodSync(folder, 0o755);
  for (const name of ['bin', 'etc', 'dev', 'proc', 'sys', 'tmp', 'srv', 'root'])
    mkdirSync(join(folder, name));
  cpSync('/bin/busybox', join(folder, 'bin', 'busybox'));
  const needed = execFileSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).match(/\/lib\S+/gu) ?? [];
  for (const library of needed) {
    mkdirSync(dirname(join(folder, library)), { recursive: true });
    cpSync(library, join(folder, library), { dereference: true });
  }
  const names = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(folder, 'bin', name));
  writeFileSync(join(folder, 'etc', 'passwd'), 'root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n');
  writeFileSync(join(folder, 'etc', 'group'), 'root:x:0:\nweb:x:33:\n');
  return folder;
}

export interface Shown {
  readonly name: string;
  readonly state: string;
  readonly wanted: string;
  readonly restarts: number;
  readonly since_ms?: number;
  readonly lastEnd?: { readonly how: string; readonly code?: number; readonly signal?: number };
  readonly lastFailure?: { readonly code: string; readonly detail?: string };
  readonly usage?: { readonly memory_bytes: number; readonly processes: number };
}

/** Takes in a folder or archive on the node itself; answers its digest. */
export function importInto(node: { readonly dir: string; readonly lease: string }, path: string): string {
  const words = ['engines', 'import', path, '--dir', node.dir, '--lease', node.lease, '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return (JSON.parse(stdout) as { digest: string }).digest;
}

/** A node with a tenant who may run engines. */
export class EngineRig {
  #session: NodeSession | undefined;

  private constructor(
    readonly node: NodeProcess,
    readonly tenancy: Tenancy,
  ) {}

  /** `wrap`: a program that starts BMonitor, and its arguments; `more`: for `bmonitor init`. */
  static async make(wrap: readonly string[] = [], more: readonly string[] = []): Promise<EngineRig> {
    const node = await NodeProcess.make({ wrap, init: ['--keys', 'file', ...more] });
    await node.start();
    return new EngineRig(node, await rent(node));
  }

  import(path: string): string {
    return importInto({ dir: this.node.dir, lease: this.tenancy.lease }, path);
  }

  async ask(command: Command): Promise<Readonly<Record<string, unknown>>> {
    this.#session ??= await this.node.session(this.tenancy.console);
    const reply = await this.#session.request({ command, to: this.tenancy.to });
    if (!reply.ok) throw new Error(`${command.type}: ${reply.refusal.code} ${reply.refusal.detail ?? ''}`);
    const { result, error } = reply.value;
    if (!result) throw new Error(`${command.type}: ${error?.code} ${error?.detail ?? ''}`);
    return result;
  }

  /** Sends an archive as a console does; answers what the node stored, or throws its refusal. */
  async send(file: string, form: 'oci-archive' | 'plain-archive'): Promise<{ readonly digest: string }> {
    const bytes = readFileSync(file);
    let over: (end: { readonly digest: string }) => void = () => {};
    let failed: (why: Error) => void = () => {};
    const ended = new Promise<{ readonly digest: string }>(
      (resolve, reject) => ([over, failed] = [resolve, reject]),
    );
    await this.#stream({
      command: { type: 'image.send', form },
      onWriter: (writer) => void writer.write(bytes).then(() => writer.end()),
      onEnd: (end, said) =>
        end.ok
          ? over(said as { readonly digest: string })
          : failed(new Error(`${end.refusal.code} ${end.refusal.detail ?? ''}`)),
    });
    return ended;
  }

  /** What an engine wrote until now. */
  async logs(name: string, since_ms?: number): Promise<string> {
    let text = '';
    await new Promise<void>((resolve, reject) => {
      this.#stream({
        command: { type: 'engine.logs', name, ...(since_ms === undefined ? {} : { since_ms }) },
        onWriter: () => {},
        onFrame: (bytes) => void (text += Buffer.from(bytes).toString()),
        onEnd: (end) => (end.ok ? resolve() : reject(new Error(end.refusal.code))),
      }).catch(reject);
    });
    return text;
  }

  /** What an engine wrote and writes, as it comes; answers how to hang up. */
  async follow(name: string, take: (bytes: Uint8Array) => void): Promise<() => void> {
    const session = await this.node.session(this.tenancy.console);
    const reply = await session.request({
      command: { type: 'engine.logs', name, follow: true },
      to: this.tenancy.to,
      onFrame: take,
      onEnd: () => undefined,
    });
    if (!reply.ok) throw new Error(reply.refusal.code);
    return () => session.close('heard enough');
  }

  /** Opens a door of an engine, as a console does. */
  async door(command: Command): Promise<{
    readonly write: (bytes: Uint8Array) => Promise<boolean>;
    readonly text: () => string;
    readonly code: () => number | undefined;
    readonly ended: Promise<Result<true>>;
    readonly hangUp: () => void;
  }> {
    const session = await this.node.session(this.tenancy.console);
    const reader = new RecordReader();
    let text = '';
    let code: number | undefined;
    let over: (end: Result<true>) => void = () => {};
    const ended = new Promise<Result<true>>((resolve) => (over = resolve));
    let writer: StreamWriter | undefined;
    const reply = await session.request({
      command,
      to: this.tenancy.to,
      onWriter: (made) => (writer = made),
      onFrame: (bytes) => {
        for (const { kind, bytes: said } of value(reader.take(bytes)))
          if (kind === recordKinds.ended) code = said[0];
          else text += said.toString();
      },
      onEnd: (end) => {
        session.close('done');
        over(end);
      },
    });
    if (!reply.ok || !writer) throw new Error(`${command.type}: ${reply.ok ? '' : reply.refusal.code}`);
    const made = writer;
    return {
      write: (bytes) => made.write(bytes),
      text: () => text,
      code: () => code,
      ended,
      hangUp: () => session.close('hung up'),
    };
  }

  async #stream(asked: Omit<Parameters<NodeSession['request']>[0], 'to'>): Promise<void> {
    this.#session ??= await this.node.session(this.tenancy.console);
    const reply = await this.#session.request({ ...asked, to: this.tenancy.to });
    if (!reply.ok) throw new Error(`${asked.command.type}: ${reply.refusal.code}`);
  }

  async run(name: string, settings: EngineSettings): Promise<void> {
    await this.ask({ type: 'engine.put', name, settings });
    await this.ask({ type: 'engine.start', name });
  }

  async shown(name: string): Promise<Shown> {
    return (await this.ask({ type: 'engine.read', name })) as unknown as Shown;
  }

  /** Waits until the engine is in a state, or says why it is not. */
  async is(name: string, state: string): Promise<Shown> {
    let shown = await this.shown(name);
    await until(async () => {
      shown = await this.shown(name);
      return shown.state === state;
    }).catch((error: unknown) => {
      throw new Error(`${name} is ${JSON.stringify(shown)}`, { cause: error });
    });
    return shown;
  }

  /** BMonitor ends in one way or another, and another one is started. */
  async restartNode(signal: NodeJS.Signals): Promise<void> {
    this.#session?.close('the node is restarted');
    this.#session = undefined;
    await this.node.kill(signal);
    await this.node.start();
  }

  async remove(): Promise<void> {
    const { engines } = (await this.ask({ type: 'engines.read' }).catch(() => ({ engines: [] }))) as {
      readonly engines: readonly { readonly name: string }[];
    };
    for (const { name } of engines) await this.ask({ type: 'engine.remove', name });
    await until(() => !existsSync(join(this.runFolder, 'i')) || this.running().length === 0);
    this.#session?.close('done');
    await this.node.kill();
    for (const mounted of [dirname(this.dataFolder), this.runFolder]) spawnSync('umount', ['-R', mounted]);
    await this.node.remove();
    rmSync(this.runFolder, { recursive: true, force: true });
  }

  /** Where the files of the lease rest. */
  get dataFolder(): string {
    return join(this.node.dir, 'data', `${this.tenancy.lease}.0`, 'data');
  }

  get runFolder(): string {
    return join('/run/bmonitor', createHash('sha256').update(this.node.dir).digest('hex').slice(0, 12));
  }

  /** What the runtime has of this node. */
  running(): readonly { readonly id: string; readonly pid: number; readonly status: string }[] {
    const words = ['--root', join(this.runFolder, 'runtime'), 'list', '-f', 'json'];
    const { stdout } = spawnSync('runc', words, { encoding: 'utf8' });
    return (JSON.parse(stdout === '' ? 'null' : stdout) as ReturnType<EngineRig['running']> | null) ?? [];
  }
}
