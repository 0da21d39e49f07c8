import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Boots } from '../../../console/nodes/boots.js';
import type { NodeBook } from '../../../console/nodes/book.js';
import { sha256, toB64u } from '../../../crypto/bytes.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { signerOf } from '../../../crypto/signer.js';
import type { NodeCard } from '../../../protocol/node-card.js';
import { verifyQuote, type Quote } from '../../../protocol/quote.js';
import { newId } from '../../../protocol/request.js';
import { ok } from '../../../protocol/result.js';
import { signBoot } from '../../../protocol/unlock.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { refusalIn, value } from '../../fakes/results.js';

/** As TPM2_Quote has it, over registers with SHA-256. */
function attested(about: Uint8Array, registers: Uint8Array): Buffer {
  const sized = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([0, bytes.length]), bytes]);
  return Buffer.concat([
    Buffer.from('ff5443478018', 'hex'),
    sized(randomBytes(34)),
    sized(about),
    Buffer.alloc(25),
    Buffer.from('00000001000b03910000', 'hex'),
    sized(registers),
  ]);
}

async function quoteOf(identity: Pair, bytes: Buffer): Promise<Quote> {
  return { attested: toB64u(bytes), signature: toB64u(await signerOf(identity).signature(bytes)) };
}

describe('what a console seals to a start of a node', function () {
  this.timeout(30_000);
  let identity: Pair;
  let start: Pair;
  let store: MemoryStore;
  /** What the node measures, or nothing where it has no TPM. */
  let registers: Buffer | undefined;
  let keyStore: 'tpm' | 'file';
  let spoil: (quote: Quote) => Quote;

  before(async () => {
    identity = await makePair(2048);
    start = await makePair(2048);
  });
  beforeEach(() => {
    store = new MemoryStore();
    registers = randomBytes(32);
    keyStore = 'tpm';
    spoil = (quote) => quote;
  });

  const cardOf = (lease: string): NodeCard => ({
    v: 1,
    kind: 'node-card',
    name: 'node-1',
    identity: identity.public.jwk,
    keyStore,
    level: 1,
    lease,
    key: start.public.jwk,
    ways: [],
  });

  function boots(card: NodeCard): Boots {
    const book = {
      get: () => ok({ card }),
      async request() {
        const boot = newId();
        const statement = await signBoot(signerOf(identity), boot, start);
        const quote = registers && spoil(await quoteOf(identity, attested(sha256(statement), registers)));
        return ok({ value: 0, result: { boot, statement, ...(quote ? { quote } : {}) } });
      },
    };
    return new Boots({ book: book as unknown as NodeBook, store });
  }

  it('goes to a machine that measures what it did the first time, and to no other until that is accepted by name', async () => {
    const card = cardOf(newId());
    expect(value(await boots(card).of(card)).id).to.equal(start.public.id);
    expect(value(await boots(card).of(card)).id).to.equal(start.public.id);
    registers = randomBytes(32);
    const refused = refusalIn(await boots(card).of(card));
    expect(refused.code).to.equal('measured-unknown');
    expect(refused.data?.['measured']).to.equal(toB64u(registers));
    value(await boots(card).accept('node-1', toB64u(registers)));
    expect(value(await boots(card).of(card)).id).to.equal(start.public.id);
  });

  it('goes to the machine as it is before an update that was approved, and to it as it is after', async () => {
    const card = cardOf(newId());
    const update = randomBytes(32);
    value(await boots(card).acceptBesides('node-1', toB64u(update)));
    value(await boots(card).of(card));
    value(await boots(card).acceptBesides('node-1', toB64u(update)));
    value(await boots(card).of(card));
    registers = update;
    value(await boots(card).of(card));
  });

  it('goes to none that has a TPM and shows no word of it, or one that was made for something else or by somebody else', async () => {
    const card = cardOf(newId());
    value(await boots(card).of(card));
    const recorded = await quoteOf(identity, attested(randomBytes(32), registers ?? Buffer.alloc(32)));
    spoil = () => recorded;
    expect(refusalIn(await boots(card).of(card)).code).to.equal('quote-wrong');
    const forged = await quoteOf(start, attested(randomBytes(32), registers ?? Buffer.alloc(32)));
    spoil = () => forged;
    expect(refusalIn(await boots(card).of(card)).code).to.equal('bad-signature');
    registers = undefined;
    expect(refusalIn(await boots(card).of(card)).code).to.equal('quote-missing');
    // Neither is a card that says otherwise believed, once the machine has shown its TPM.
    keyStore = 'file';
    const said = cardOf(card.lease);
    expect(refusalIn(await boots(said).of(said)).code).to.equal('quote-missing');
  });

  it('goes to a node without a TPM as its card says, and what was accepted for one lease is not for the next', async () => {
    keyStore = 'file';
    const measured = registers;
    registers = undefined;
    const card = cardOf(newId());
    expect(value(await boots(card).of(card)).id).to.equal(start.public.id);
    keyStore = 'tpm';
    registers = measured;
    value(await boots(cardOf(card.lease)).of(cardOf(card.lease)));
    registers = randomBytes(32);
    const next = cardOf(newId());
    value(await boots(next).of(next));
  });

  it('is refused for whatever is no quote', async () => {
    const about = randomBytes(32);
    const whole = attested(about, randomBytes(32));
    const spoilt = [
      whole.subarray(0, -1),
      Buffer.concat([whole, Buffer.alloc(1)]),
      Buffer.from(whole).fill(0, 0, 4),
      Buffer.from(whole).fill(0, 4, 6),
      Buffer.from(whole).fill(9, whole.length - 41, whole.length - 40),
      Buffer.alloc(0),
    ];
    for (const bytes of spoilt) {
      const refused = verifyQuote(await quoteOf(identity, bytes), identity.public, about);
      expect(refusalIn(refused).code).to.equal('malformed');
    }
  });
});
