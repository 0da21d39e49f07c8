import { expect } from 'chai';
import type { NodeSession, Noticed } from '../../console/nodes/session.js';
import { makePair, type Pair } from '../../crypto/rsa.js';
import { signerOf } from '../../crypto/signer.js';
import type { Message, MessageChannel } from '../../protocol/channel.js';
import { identityOf } from '../../protocol/node-card.js';
import { openNotice, sealNotices, type Notice } from '../../protocol/notice.js';
import { newId, type Addressee } from '../../protocol/request.js';
import type { Result } from '../../protocol/result.js';
import { formatEnvelope, parseWire } from '../../protocol/wire.js';
import { altered } from '../fakes/craft.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import { rent, type Tenancy } from './tenancy.js';

/** A console that listens for notices, over a connection into which the test can put messages. */
class Ear {
  readonly taken: Notice[] = [];
  readonly refused: string[] = [];
  readonly seen: string[] = [];
  #inject: (message: Message) => void = () => {};

  constructor(
    readonly node: NodeProcess,
    readonly pair: Pair,
    readonly to: Addressee,
  ) {}

  get kinds(): string[] {
    return this.taken.flatMap(({ happened }) => happened.map(({ kind }) => kind));
  }

  async listen(): Promise<NodeSession> {
    const noticed: Noticed = {
      identity: value(identityOf(this.node.card)),
      take: (notice: Result<Notice>) =>
        void (notice.ok ? this.taken.push(notice.value) : this.refused.push(notice.refusal.code)),
    };
    const session = await this.node.session(this.pair, (channel) => this.#tapped(channel), noticed);
    value(await session.request({ command: { type: 'status' }, to: this.to }));
    return session;
  }

  /** As whoever carries the connection could. */
  inject(message: string): void {
    this.#inject(message);
  }

  #tapped(channel: MessageChannel): MessageChannel {
    return {
      source: channel.source,
      send: (message) => channel.send(message),
      onClose: (handler) => channel.onClose(handler),
      close: (reason) => channel.close(reason),
      onMessage: (handler) => {
        this.#inject = (message) => void handler(message);
        channel.onMessage((message) => {
          if (typeof message === 'string' && message.startsWith('U1 ')) this.seen.push(message);
          return handler(message);
        });
      },
    };
  }
}

describe('what a node says unasked', function () {
  this.timeout(120_000);
  let node: NodeProcess;
  let tenancy: Tenancy;
  let landlord: Ear;
  let tenant: Ear;
  const sessions: NodeSession[] = [];

  before(async () => {
    node = await NodeProcess.make();
    await node.start();
    tenancy = await rent(node, { until_s: Math.floor(Date.now() / 1000) + 15, destroyAfter: 1 });
    landlord = new Ear(node, node.landlord, node.to);
    tenant = new Ear(node, tenancy.console, tenancy.to);
    sessions.push(await landlord.listen(), await tenant.listen());
  });
  after(async () => {
    for (const session of sessions) session.close('done');
    await node.remove();
  });

  it('tells both parties, signed and sealed to each, that a lease went dark and that it ended, in their order', async () => {
    const wanted = ['lease.dark', 'lease.ended'];
    for (const ear of [landlord, tenant]) {
      await until(() => ear.kinds.includes('lease.ended'), 60_000);
      expect(ear.kinds.filter((kind) => wanted.includes(kind))).to.deep.equal(wanted);
      expect(ear.refused).to.deep.equal([]);
      expect(ear.taken.map(({ seq }) => seq)).to.deep.equal(ear.taken.map((_, at) => at + 1));
      const last = ear.taken.at(-1)?.happened.at(-1);
      expect(last?.fields).to.deep.include({ lease: tenancy.lease, reason: 'expired' });
    }
    expect(landlord.taken.at(-1)?.head?.seq).to.be.greaterThan(0);
    // The lease is gone with its history.
    expect(tenant.taken.at(-1)?.head).to.equal(undefined);
  });

  it('is refused when it comes twice, on another connection, at another console, or altered', async () => {
    const [recorded = ''] = landlord.seen;
    landlord.inject(recorded);
    await until(() => landlord.refused.length === 1);
    const later = new Ear(node, node.landlord, node.to);
    sessions.push(await later.listen());
    later.inject(recorded);
    await until(() => later.refused.length === 1);
    later.inject(tenant.seen[0] ?? '');
    await until(() => later.refused.length === 2);
    later.inject(formatEnvelope('U1', altered(envelopeOf(recorded), 3)));
    await until(() => later.refused.length === 3);
    expect(landlord.refused).to.deep.equal(['replayed']);
    expect(later.refused).to.deep.equal(['replayed', 'wrong-console', 'cannot-open']);
    expect(later.taken).to.deep.equal([]);
  });

  it('is refused when another key than the pinned N signed it, or when it was not among what was signed', async () => {
    const identity = value(identityOf(node.card));
    const known = await openNotice(node.landlord, identity, envelopeOf(landlord.seen[0] ?? ''));
    const { time, keyStore, ...body } = value(known);
    const stranger = await makePair(2048);
    const by = { keyStore, boot: newId(), time };
    const ear = new Ear(node, node.landlord, node.to);
    sessions.push(await ear.listen());
    const address = { key: node.landlord.public, body };
    const [forged = ''] = await sealNotices(signerOf(stranger), by, [address]);
    ear.inject(formatEnvelope('U1', forged));
    await until(() => ear.refused.length === 1);
    // One who claims to be N without its private half.
    const liar = { ...signerOf(stranger), public: identity };
    const [claimed = ''] = await sealNotices(liar, by, [address]);
    ear.inject(formatEnvelope('U1', claimed));
    await until(() => ear.refused.length === 2);
    expect(ear.refused).to.deep.equal(['wrong-node', 'bad-signature']);
    expect(ear.taken).to.deep.equal([]);
  });
});

function envelopeOf(message: string): string {
  const wire = value(parseWire(message));
  if (wire.kind !== 'notice') throw new Error('not a notice');
  return wire.envelope;
}
