import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { digestOf, toB64u } from '../../../crypto/bytes.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import type { StreamOpener, StreamSealer } from '../../../crypto/stream.js';
import { openReply, streamOpener, streamSealer, type Reply } from '../../../protocol/reply.js';
import { formatEnvelope, parseWire } from '../../../protocol/wire.js';
import { craft } from '../../fakes/craft.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';
import { makeKit, MemoryChannel, type Kit } from './service-kit.js';

const set = { otherwise: 'deny', filters: [{ action: 'allow', peers: ['192.0.2.1'] }] };
type Command = Readonly<Record<string, unknown>>;

/** A connection to the node by which one console speaks. */
class Talk {
  readonly channel = new MemoryChannel('console');
  readonly #kit: Kit;
  readonly #from: Pair;

  constructor(kit: Kit, from: Pair) {
    this.#kit = kit;
    this.#from = from;
    kit.service.serve(this.channel);
  }

  async ask(command: Command, claims: Readonly<Record<string, unknown>> = {}): Promise<Asked> {
    const hello = { boot: this.#kit.boot, nonce: this.#kit.nonce() };
    const request = await craft(this.#from, this.#kit.to, command, hello, { claims });
    const before = this.channel.said.length;
    await this.channel.tell(formatEnvelope('R1', request.text));
    const replies = (): string[] =>
      this.channel.said.slice(before).filter((one): one is string => typeof one === 'string');
    await until(() => replies().length > 0);
    const wire = value(parseWire(replies()[0] ?? ''));
    if (wire.kind !== 'reply') throw new Error(JSON.stringify(wire));
    const reply = value(await openReply(request.secret, request.digest, wire.envelope));
    const { stream } = reply;
    const keys = [request.secret, request.digest, stream ?? 'A'.repeat(22)] as const;
    return {
      reply,
      jti: request.jti,
      sealer: streamSealer(...keys, 'to-node'),
      opener: streamOpener(...keys, 'from-node'),
    };
  }

  must = async (command: Command): Promise<Asked> => {
    const asked = await this.ask(command);
    expect(asked.reply.error, String(command['type'])).to.equal(undefined);
    return asked;
  };

  show({ sealer }: Asked, secret: Uint8Array, ...last: readonly 'all'[]): void {
    void this.channel.tell(sealer.seal(Buffer.concat([Buffer.of(0), secret])));
    if (last.length > 0) void this.channel.tell(sealer.seal(new Uint8Array(), true));
  }

  /** What the node's last frame says. */
  async end({ opener }: Asked): Promise<unknown> {
    const frames = (): Uint8Array[] =>
      this.channel.said.filter((one): one is Uint8Array => typeof one !== 'string');
    for (let at = this.#taken; ; at += 1) {
      await until(() => frames().length > at);
      this.#taken = at + 1;
      const opened = opener.open(frames()[at] ?? new Uint8Array());
      if ('fault' in opened) throw new Error(opened.fault);
      if (opened.final) return JSON.parse(Buffer.from(opened.plaintext).toString());
    }
  }
  #taken = 0;
}

interface Asked {
  readonly reply: Reply;
  readonly jti: string;
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
}

describe('a change on trial whose signed command carries the digest of a secret', () => {
  let kit: Kit;
  let talk: Talk;
  let secret: Uint8Array;
  beforeEach(async () => {
    kit = await makeKit();
    talk = new Talk(kit, kit.landlord);
    secret = randomBytes(32);
  });
  afterEach(() => kit.remove());

  const version = (): number => kit.heart.core.state.levels[0].filters.version;
  const waits = (): boolean => kit.heart.core.state.levels[0].waiting !== undefined;
  const trial = (): Command => ({
    type: 'filters.replace',
    expect: version(),
    set,
    confirmWithin: 60,
    keep: digestOf(secret),
  });

  it('is kept when the secret is shown on its stream, which costs no private key, and stays when its time is over', async () => {
    const changed = await talk.must(trial());
    expect(changed.reply.result).to.include({ version: 1 });
    const { operations } = kit.gate;
    talk.show(changed, secret, 'all');
    expect(await talk.end(changed)).to.deep.equal({ done: { version: 1 } });
    expect(waits()).to.equal(false);
    expect(kit.gate.operations).to.equal(operations);
    kit.pass(61_000);
    await kit.heart.core.passTime();
    expect(version()).to.equal(1);
  });

  it('leaves in the history what anybody can hold against the signed statement', async () => {
    const changed = await talk.must(trial());
    talk.show(changed, secret, 'all');
    await talk.end(changed);
    const { reply } = await talk.must({ type: 'history.read', from: 1, count: 100 });
    const lines = ((reply.result?.['lines'] ?? []) as readonly string[]).map(
      (line) => JSON.parse(line) as Readonly<Record<string, unknown>>,
    );
    const kept = lines.find(({ command }) => command === 'filters.kept');
    expect(kept?.['outcome']).to.deep.equal({ version: 1, of: changed.jti, secret: toB64u(secret) });
    const asked = lines.find(({ jti }) => jti === changed.jti);
    const payload = Buffer.from(String(asked?.['statement']).split('.')[1] ?? '', 'base64url').toString();
    expect((JSON.parse(payload) as { command: { keep: string } }).command.keep).to.equal(digestOf(secret));
  });

  it('is undone in its time when another secret is shown, or a longer or shorter one', async () => {
    for (const [wrong, code] of [
      [randomBytes(32), 'not-authorised'],
      [secret.subarray(1), 'malformed'],
      [Buffer.concat([secret, secret]), 'too-large'],
    ] as const) {
      const changed = await talk.must(trial());
      talk.show(changed, wrong, 'all');
      expect(await talk.end(changed)).to.include({ end: code });
      expect(waits()).to.equal(true);
      kit.pass(61_000);
      await kit.heart.core.passTime();
      expect(waits()).to.equal(false);
      expect(kit.heart.core.state.levels[0].filters.blocks).to.deep.equal([]);
    }
  });

  it('is not kept by a secret that was cut short of its end, nor once its time is over', async () => {
    const cut = await talk.must(trial());
    talk.show(cut, secret);
    talk.channel.close('cut');
    expect(waits()).to.equal(true);
    kit.pass(61_000);
    await kit.heart.core.passTime();
    talk = new Talk(kit, kit.landlord);
    const late = await talk.must(trial());
    // The machine's time is over, and nothing has looked at it yet.
    kit.pass(61_000);
    talk.show(late, secret, 'all');
    expect(await talk.end(late)).to.include({ end: 'nothing-pending' });
  });

  it('is not kept by a console that was taken out of the roster meanwhile', async () => {
    const other = await makePair(2048);
    const console = { key: other.public.jwk, name: 'other', role: 'operator' };
    await talk.must({ type: 'consoles.add', console });
    const theirs = new Talk(kit, other);
    const changed = await theirs.must(trial());
    await talk.must({ type: 'consoles.remove', key: other.public.id });
    theirs.show(changed, secret, 'all');
    expect(await theirs.end(changed)).to.include({ end: 'unknown-console' });
    expect(waits()).to.equal(true);
  });

  it('needs a time after which it is undone', async () => {
    const { confirmWithin: _, ...forGood } = trial() as Record<string, unknown>;
    const { reply } = await talk.ask(forGood);
    expect(reply.error).to.include({ code: 'bad-input', where: 'command.keep' });
  });

  it('is confirmed by a command where no stream followed, as when it is asked again', async () => {
    const command = trial();
    const first = await talk.must(command);
    const again = await talk.ask(command, { jti: first.jti });
    expect(again.reply.again).to.equal(true);
    expect(again.reply.stream).to.equal(undefined);
    await talk.must({ type: 'filters.confirm', version: 1 });
    expect(waits()).to.equal(false);
  });
});
