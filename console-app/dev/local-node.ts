import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeSession } from '../../console/nodes/session.js';
import { systemClocks } from '../../console/daemon/daemon.js';
import { makePair, thumbprint, type Pair, type PublicJwk } from '../../crypto/rsa.js';
import type { HandOver } from '../../protocol/hand-over.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { idText, publicJwk } from '../../protocol/fields.js';
import { messageOf } from '../../protocol/log.js';
import { levelKeyOf, parseNodeCard, type NodeCard } from '../../protocol/node-card.js';
import { object, opaqueObject, whole } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { dial, socketChannel } from '../../protocol/socket.js';
import { runTool } from '../images/run-tool.js';

const bmonitor = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));
const port = 7443;
const key_bits = 2048;
const day_s = 86_400;
const everything = { otherwise: 'deny', filters: [{ action: 'allow' }] };

/**
 * A node of one's own on this machine, in a network namespace: a real BMonitor with a landlord that exists for this run only. What it stores goes with it.
 *
 *   this machine 10.213.N.1 ──veth── 10.213.N.2 node
 */
export class LocalNode {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bmonitor-local-'));
  readonly #tag = randomBytes(3).toString('hex');
  readonly #net: string;
  #daemon: ChildProcess | undefined;
  #landlord: Pair | undefined;
  #card: NodeCard | undefined;
  #lease: string | undefined;

  private constructor() {
    // Half of the range is enough for all who work on one machine.
    this.#net = `10.213.${randomBytes(1)[0] ?? 0}`;
  }

  get name(): string {
    return `local-${this.#tag}`;
  }

  /** Its address, where engines answer at their ports. */
  get address(): string {
    return `${this.#net}.2`;
  }

  get #namespace(): string {
    return `bm-${this.name}`;
  }

  get #dir(): string {
    return join(this.#folder, 'node');
  }

  /** Made, started, and leased to the console whose card this is. */
  static async make(
    consoleCard: string,
  ): Promise<Result<{ readonly node: LocalNode; readonly handOver: HandOver; readonly pin: string }>> {
    if (process.getuid?.() !== 0)
      return refuse(
        'not-permitted',
        'a node of its own on this machine needs root: network namespaces, filters in the kernel, an OCI runtime; name a leased node with --node',
      );
    const node = new LocalNode();
    try {
      const begun = await node.#begin(consoleCard);
      if (begun.ok) return ok({ node, ...begun.value });
      await node.remove();
      return begun;
    } catch (error) {
      await node.remove();
      return refuse('internal', messageOf(error));
    }
  }

  async #begin(consoleCard: string): Promise<Result<{ readonly handOver: HandOver; readonly pin: string }>> {
    const wired = await this.#wire();
    if (!wired.ok) return wired;
    chmodSync(this.#folder, 0o755);
    const landlord = await makePair(key_bits);
    this.#landlord = landlord;
    const card = { v: 1, kind: 'console-card', name: 'nobody', key: landlord.public.jwk };
    const landlordFile = join(this.#folder, 'landlord.json');
    writeFileSync(landlordFile, JSON.stringify(card));
    const network = ['--interface', 'eth0', '--address', `${this.address}/30`, '--console', `${this.#net}.1`];
    const who = ['--dir', this.#dir, '--name', this.name, '--landlord', landlordFile, '--keys', 'file'];
    const size = ['--key-bits', String(key_bits), '--file-bytes', String(2 ** 31)];
    const listen = ['--listen', `${this.address}:${port}`];
    const made = await this.#inside([
      process.execPath,
      bmonitor,
      'init',
      ...who,
      ...listen,
      ...network,
      ...size,
    ]);
    if (!made.ok) return made;
    const read = parseNodeCard(readFileSync(join(this.#dir, 'card-0.json')));
    if (!read.ok) return read;
    this.#card = read.value;
    const started = await this.#start();
    return started.ok ? this.#grant(read.value, consoleCard) : started;
  }

  async #wire(): Promise<Result<unknown>> {
    const outside = `bmd${this.#tag}`;
    const space = this.#namespace;
    const steps = [
      ['netns', 'add', space],
      ['link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space],
      ['address', 'add', `${this.#net}.1/30`, 'dev', outside],
      ['link', 'set', outside, 'up'],
      ['-n', space, 'link', 'set', 'lo', 'up'],
      ['-n', space, 'link', 'set', 'eth0', 'up'],
    ];
    for (const step of steps) {
      const done = await runTool('ip', step);
      if (!done.ok) return done;
    }
    return ok(true);
  }

  async #inside(command: readonly string[]): Promise<Result<string>> {
    return runTool('ip', ['netns', 'exec', this.#namespace, ...command]);
  }

  /** `ip netns exec` would hide the control groups behind the /sys of the namespace. */
  async #start(): Promise<Result<true>> {
    const enter =
      'mount --rbind /sys/fs/cgroup /mnt; mount -t sysfs sysfs /sys; mount --move /mnt /sys/fs/cgroup; exec "$@"';
    const words = [`--net=/run/netns/${this.#namespace}`, 'unshare', '--mount', 'sh', '-c', enter, 'sh'];
    const run = [process.execPath, bmonitor, 'run', '--dir', this.#dir, '--power', 'process'];
    const daemon = spawn('nsenter', [...words, ...run], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    this.#daemon = daemon;
    return new Promise((resolve) => {
      let log = '';
      daemon.stderr.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-4000);
        if (log.includes('"node.ready"')) resolve(ok(true));
      });
      daemon.on('exit', (code) =>
        resolve(refuse('internal', `BMonitor ended with ${code}: ${log.slice(-400)}`)),
      );
      daemon.on('error', (error) => resolve(refuse('internal', messageOf(error))));
    });
  }

  async #ask(command: Parameters<NodeSession['request']>[0]['command']): Promise<Result<unknown>> {
    const [landlord, card] = [this.#landlord, this.#card];
    if (!landlord || !card) return refuse('internal', 'the local node was not made');
    const { url = '', pin } = card.ways[0] ?? {};
    const socket = await dial({ url, ...(pin === undefined ? {} : { pin }), timeout_ms: 10_000 });
    if (!socket.ok) return socket;
    const key = levelKeyOf(card);
    if (!key.ok) return key;
    const session = new NodeSession(
      socketChannel(socket.value, url),
      landlord,
      thumbprint(card.identity),
      systemClocks,
    );
    const reply = await session.request({ command, to: { level: 0, lease: card.lease, key: key.value } });
    session.close('done');
    return reply.ok ? ok(reply.value.result) : reply;
  }

  async #grant(
    card: NodeCard,
    consoleCard: string,
  ): Promise<Result<{ readonly handOver: HandOver; readonly pin: string }>> {
    const to = parseConsoleCard(readFileSync(consoleCard));
    if (!to.ok) return to;
    const open = await this.#ask({ type: 'filters.replace', expect: 0, set: everything });
    if (!open.ok) return open;
    const until = Math.floor(Date.now() / 1000) + day_s;
    const rights = ['engines', 'volumes', 'keys', 'boundaries'] as const;
    const granted = await this.#ask({
      type: 'lease.grant',
      to: [{ key: to.value.card.key, name: to.value.card.name, role: 'administrator' }],
      rights: [...rights],
      until,
      destroyAfter: 0,
    });
    if (!granted.ok) return granted;
    const lease = leaseIn(granted.value);
    if (!lease.ok) return lease;
    this.#lease = lease.value.lease;
    const { lease: id, level, key } = lease.value;
    const handOver: HandOver = {
      v: 1,
      kind: 'hand-over',
      facility: 'this-machine',
      customer: to.value.card.name,
      gateways: [],
      to: [to.value.key.id],
      leases: [{ card: { ...card, level, lease: id, key }, until, rights: [...rights] }],
    };
    return ok({ handOver, pin: thumbprint(card.identity) });
  }

  /** Its lease ends, with its engines and all that they stored; then everything of it goes. */
  async remove(): Promise<void> {
    if (this.#lease !== undefined) await this.#ask({ type: 'lease.end', lease: this.#lease });
    const daemon = this.#daemon;
    if (daemon?.pid !== undefined && daemon.exitCode === null && daemon.signalCode === null) {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      process.kill(-daemon.pid, 'SIGTERM');
      const timer = setTimeout(() => process.kill(-(daemon.pid ?? 0), 'SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    }
    await runTool('ip', ['netns', 'delete', this.#namespace]);
    await runTool('ip', ['link', 'delete', `bmd${this.#tag}`]);
    await unmountUnder(this.#folder);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function unmountUnder(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const own = mounts.map((line) => line.split(' ')[1] ?? '').filter((one) => one.startsWith(`${folder}/`));
  for (const one of own.toReversed()) await runTool('umount', ['-l', one]);
}

const grantedForm = object({ lease: idText, level: whole({ min: 1, max: 255 }), key: publicJwk });

function leaseIn(
  answer: unknown,
): Result<{ readonly lease: string; readonly level: number; readonly key: PublicJwk }> {
  const said = opaqueObject(answer, 'lease.grant');
  if (!said.ok) return said;
  const pair = opaqueObject(said.value['pair'], 'lease.grant: pair');
  if (!pair.ok) return pair;
  return grantedForm({ lease: said.value['lease'], level: said.value['level'], key: pair.value['jwk'] }, '');
}
