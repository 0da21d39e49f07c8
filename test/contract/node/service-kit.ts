import { noPower } from '../../fakes/no-power.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePair, publicKeyFromJwk, type Pair } from '../../../crypto/rsa.js';
import { hostClock } from '../../../bmonitor/host/clock.js';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { initNode } from '../../../bmonitor/main.js';
import { Answers } from '../../../bmonitor/node/answers.js';
import { Gate } from '../../../bmonitor/node/gate.js';
import { openHeart, type Heart } from '../../../bmonitor/node/heart.js';
import { Nonces } from '../../../bmonitor/node/nonces.js';
import { Notices } from '../../../bmonitor/node/notices.js';
import { Seen } from '../../../bmonitor/node/seen.js';
import { Service } from '../../../bmonitor/node/serve.js';
import type { Message, MessageChannel } from '../../../protocol/channel.js';
import { silentLog } from '../../../protocol/log.js';
import { newId, type Addressee } from '../../../protocol/request.js';
import { FakeDirectories } from '../../fakes/machine/directories.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { EngineReport } from '../../../bmonitor/node/engine-report.js';
import { withoutEngines } from '../../../bmonitor/node/engines.js';
import { value } from '../../fakes/results.js';

/** Counts what goes to the private keys: the gate is the only way to them. */
class CountingGate extends Gate {
  operations = 0;

  override inTurn<T>(source: string, bytes: number, work: () => Promise<Result<T>>): Promise<Result<T>> {
    return super.inTurn(source, bytes, () => {
      this.operations += 1;
      return work();
    });
  }
}

/** A real node's inside, with its real store and keys, without a socket around it. */
export interface Kit {
  readonly heart: Heart;
  readonly gate: CountingGate;
  readonly service: Service;
  readonly boot: string;
  readonly landlord: Pair;
  readonly to: Addressee;
  /** Lets the machine's clocks go ahead of the real ones. */
  pass(ms: number): void;
  nonce(): string;
  remove(): Promise<void>;
}

export async function makeKit(): Promise<Kit> {
  let passed_ms = 0;
  const ahead = (): number => passed_ms;
  const clock = { wall: () => hostClock.wall() + ahead(), sinceBoot: () => hostClock.sinceBoot() + ahead() };
  const folder = await mkdtemp(join(tmpdir(), 'bmonitor-kit-'));
  const landlord = await makePair(2048);
  const card = value(
    await initNode({
      folder,
      config: { name: 'kit', listen: { host: '127.0.0.1', port: 0 }, keyBits: 2048 },
      landlord: [{ key: landlord.public.jwk, name: 'landlord', role: 'administrator' }],
      url: 'wss://127.0.0.1:1',
    }),
  );
  const heart = value(
    await openHeart({
      directories: new FakeDirectories().open(),
      store: value(await openLevelStore(join(folder, 'store'))),
      roots: new FileRootStore(folder),
      clock,
      log: silentLog,
      filters: { enforce: () => Promise.resolve(ok(undefined)) },
      engines: () => withoutEngines,
      power: noPower,
    }),
  );
  const { core, journal, events, time } = heart;
  const machine = {
    keyStore: 'file' as const,
    version: '0',
    kernelRelease: '6.18.0',
    started_s: 0,
    filters: () => ({ enforced: 'unknown' as const }),
    engines: new EngineReport(refuse('engines-not-here')),
  };
  const gate = new CountingGate(() => clock.sinceBoot(), setImmediate);
  const nonces = new Nonces(clock);
  const boot = newId();
  const answers = new Answers({ core, journal, events, machine });
  const notices = new Notices({ core, time, keyStore: 'file', boot, log: silentLog });
  events.onTold = (lease, event, time_s) => notices.told(lease, event, time_s);
  const parts = { core, answers, nonces, notices, seen: new Seen(), gate, time, boot, log: silentLog };
  const service = new Service(parts);
  const key = publicKeyFromJwk(card.key);
  if (!key) throw new Error('no key');
  return {
    pass(ms) {
      passed_ms += ms;
    },
    heart,
    gate,
    service,
    boot,
    landlord,
    to: { level: 0, lease: card.lease, key },
    nonce: () => nonces.give(),
    async remove() {
      service.close();
      await core.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A channel in memory: what is said to the node, and what it said. */
export class MemoryChannel implements MessageChannel {
  readonly said: Message[] = [];
  closed: string | undefined;
  #handler: (message: Message) => void | Promise<void> = () => {};
  #onClose: (reason: string) => void = () => {};

  constructor(readonly source: string) {}

  send(message: Message): Promise<boolean> {
    this.said.push(message);
    return Promise.resolve(this.closed === undefined);
  }

  onMessage(handler: (message: Message) => void | Promise<void>): void {
    this.#handler = handler;
  }

  onClose(handler: (reason: string) => void): void {
    this.#onClose = handler;
  }

  close(reason: string): void {
    if (this.closed !== undefined) return;
    this.closed = reason;
    this.#onClose(reason);
  }

  async tell(message: Message): Promise<void> {
    await this.#handler(message);
  }
}
