import { NodeSession } from '../../console/nodes/session.js';
import { makePair, thumbprint, type Pair } from '../../crypto/rsa.js';
import { levelKeyOf, parseNodeCard, type NodeCard } from '../../protocol/node-card.js';
import type { Command } from '../../protocol/commands.js';
import type { Addressee } from '../../protocol/request.js';
import { dial, socketChannel } from '../../protocol/socket.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { address, consoleAddress } from './cable.js';
import type { Computer } from './computer.js';

const url = `wss://${address}:7443`;

/** The node that lives in a computer, as its landlord's console knows it. */
export class Resident {
  readonly #sessions: NodeSession[] = [];

  private constructor(
    readonly landlord: Pair,
    readonly card: NodeCard,
  ) {}

  /** Makes a node, as docs/install.md says, and takes its card to the console. */
  static async make(computer: Computer): Promise<Resident> {
    const landlord = await makePair(2048);
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: landlord.public.jwk };
    await computer.must(`echo '${JSON.stringify(card)}' >/root/console.pub.json`);
    const where = `--interface eth0 --address ${address} --console ${consoleAddress}`;
    await computer.must(
      `bmonitor init --dir /var/lib/bmonitor --landlord /root/console.pub.json --name node-1 --key-bits 2048 --file-store luks --file-bytes 134217728 --listen 0.0.0.0:7443 --url ${url} ${where}`,
    );
    await computer.must('systemctl start bmonitor-closed bmonitor');
    const made = await computer.must('cat /var/lib/bmonitor/card-0.json');
    return new Resident(landlord, value(parseNodeCard(made)));
  }

  get to(): Addressee {
    return { level: 0, lease: this.card.lease, key: value(levelKeyOf(this.card)) };
  }

  get #pin(): { readonly pin?: string } {
    const [way] = this.card.ways;
    return way?.pin === undefined ? {} : { pin: way.pin };
  }

  async session(pair: Pair = this.landlord): Promise<NodeSession> {
    const socket = value(await dial({ url, ...this.#pin, timeout_ms: 20_000 }));
    const clocks = { wall: () => Date.now(), steady: () => performance.now() };
    const session = new NodeSession(
      socketChannel(socket, 'test'),
      pair,
      thumbprint(this.card.identity),
      clocks,
    );
    this.#sessions.push(session);
    return session;
  }

  /** Ends what a part that failed left open: the suite would wait for it. */
  close(): void {
    for (const session of this.#sessions.splice(0)) session.close('done');
  }

  /** Waits until it answers, as a console does after a start. */
  async answers(): Promise<void> {
    await until(async () => {
      const socket = await dial({ url, ...this.#pin, timeout_ms: 5000 });
      if (!socket.ok) await new Promise((resolve) => setTimeout(resolve, 200));
      else socket.value.close();
      return socket.ok;
    }, 300_000);
  }

  /** What a level was told, from the beginning. */
  async told(from: {
    readonly to: Addressee;
    readonly console: Pair;
  }): Promise<readonly Record<string, unknown>[]> {
    const session = await this.session(from.console);
    const lines: Record<string, unknown>[] = [];
    try {
      await new Promise<void>((resolve, reject) => {
        const onFrame = (frame: Uint8Array): void => {
          for (const line of Buffer.from(frame).toString().split('\n')) {
            const said = JSON.parse(line) as Record<string, unknown>;
            if (said['alive'] === undefined) lines.push(said);
            else resolve();
          }
        };
        const command: Command = { type: 'events.follow', after: 0 };
        void session.request({ command, to: from.to, onFrame }).then((reply) => {
          if (!reply.ok) reject(new Error(reply.refusal.code));
        });
      });
    } finally {
      session.close('done');
    }
    return lines;
  }

  async ask(
    command: Command,
    from: { readonly to: Addressee; readonly console: Pair } = { to: this.to, console: this.landlord },
  ): Promise<Readonly<Record<string, unknown>>> {
    const session = await this.session(from.console);
    try {
      return value(await session.request({ command, to: from.to })).result as Record<string, unknown>;
    } finally {
      session.close('done');
    }
  }
}
