import { expect } from 'chai';
import * as fc from 'fast-check';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { signerOf } from '../../../crypto/signer.js';
import { GatewayChannel } from '../../../protocol/gateway/channel.js';
import {
  formatGatewayFrame,
  parseGatewayFrame,
  type GatewayFrame,
} from '../../../protocol/gateway/frames.js';
import { checkProof, makeProof } from '../../../protocol/gateway/proof.js';
import { limits } from '../../../protocol/limits.js';

const channel = fc.integer({ min: 0, max: 0xffffffff });
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((b) => Buffer.from(b).toString('base64url'));
const frame: fc.Arbitrary<GatewayFrame> = fc.oneof(
  fc.record({
    kind: fc.constant('challenge' as const),
    body: fc.record({ v: fc.constant(1), nonce: digest }),
  }),
  fc.record({ kind: fc.constant('open' as const), channel, body: fc.record({ to: digest }) }),
  fc.record({ kind: fc.constant('opened' as const), channel }),
  fc.record({
    kind: fc.constant('close' as const),
    channel,
    body: fc.record({ code: fc.constant('closed'), detail: fc.string({ maxLength: 100 }) }),
  }),
  fc.record({ kind: fc.constant('credit' as const), channel, bytes: channel }),
  fc
    .record({
      kind: fc.constant('data' as const),
      channel,
      last: fc.boolean(),
      text: fc.boolean(),
      bytes: fc.uint8Array({ maxLength: 200 }),
    })
    .filter(({ last, bytes }) => last || bytes.length > 0),
);

describe('the frames of a gateway', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(frame, (written) => {
        const read = parseGatewayFrame(formatGatewayFrame(written));
        if (!read.ok) throw new Error(read.refusal.detail);
        const plain = (one: GatewayFrame): unknown =>
          one.kind === 'data' ? { ...one, bytes: [...one.bytes] } : one;
        expect(plain(read.value)).to.deep.equal(plain(written));
      }),
    );
  });

  it('refuse whatever is not of the form, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = parseGatewayFrame(bytes);
        if (read.ok && read.value.kind === 'data')
          expect(read.value.bytes.length).to.be.at.most(limits.gateway_piece_bytes_max);
      }),
      { numRuns: 2000 },
    );
    const refused = (bytes: Uint8Array): boolean => !parseGatewayFrame(bytes).ok;
    const data = (size: number): Uint8Array =>
      formatGatewayFrame({ kind: 'data', channel: 1, last: false, text: false, bytes: new Uint8Array(size) });
    expect(refused(data(limits.gateway_piece_bytes_max + 1))).to.equal(true);
    expect(refused(data(0))).to.equal(true);
    expect(refused(new Uint8Array(limits.gateway_frame_bytes_max + 1))).to.equal(true);
    expect(
      refused(Buffer.concat([formatGatewayFrame({ kind: 'opened', channel: 1 }), Buffer.of(0)])),
    ).to.equal(true);
  });
});

describe('the proof to a gateway', () => {
  let pair: Pair;
  const nonce = Buffer.alloc(32, 1).toString('base64url');
  const server = Buffer.alloc(32, 2).toString('base64url');
  before(async () => void (pair = await makePair(2048)));

  const codeOf = async (
    proof: Parameters<typeof checkProof>[0],
    asked = nonce,
    at: string | undefined = server,
  ) => {
    const checked = await checkProof(proof, asked, at);
    return checked.ok ? checked.value.id : checked.refusal.code;
  };

  it('proves the key that made it', async () => {
    expect(await codeOf(await makeProof(signerOf(pair), 'node', nonce, server))).to.equal(pair.public.id);
  });

  it('serves for one connection, one server and one role, and one key only', async () => {
    const proof = await makeProof(signerOf(pair), 'node', nonce, server);
    const other = await makePair(2048);
    expect(await codeOf(proof, Buffer.alloc(32, 3).toString('base64url'))).to.equal('replayed');
    expect(await codeOf(proof, nonce, Buffer.alloc(32, 4).toString('base64url'))).to.equal('wrong-pin');
    expect(await codeOf({ ...proof, role: 'console' })).to.equal('bad-signature');
    expect(await codeOf({ ...proof, key: other.public.jwk })).to.equal('bad-signature');
    const [head = '', , signature = ''] = proof.jws.split('.');
    const forged = Buffer.from(JSON.stringify({ v: 1, role: 'node', nonce, server })).toString('base64url');
    expect(await codeOf({ ...proof, jws: `${head}.${forged}A.${signature}` })).to.equal('bad-signature');
  });
});

describe('a channel through a gateway', () => {
  const large = Buffer.alloc(3 * limits.gateway_window_bytes + 17, 7);

  it('sends no more than the credit it has, and goes on when it gets more', async () => {
    const sent: GatewayFrame[] = [];
    const one = new GatewayChannel(1, 'x', (frame) => void sent.push(frame));
    const bytes = (): number =>
      sent.reduce((sum, frame) => sum + (frame.kind === 'data' ? frame.bytes.length : 0), 0);
    let done = false;
    const sending = one.send(large).then((good) => void (done = good));
    await new Promise((resolve) => setImmediate(resolve));
    expect(bytes()).to.equal(limits.gateway_window_bytes);
    expect(done).to.equal(false);
    for (let given = 0; given < 3; given++) {
      one.granted(limits.gateway_window_bytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sending;
    expect(done).to.equal(true);
    expect(bytes()).to.equal(large.length);
  });

  it('gives no credit while the handler of the message before is busy', async () => {
    const sent: GatewayFrame[] = [];
    const one = new GatewayChannel(1, 'x', (frame) => void sent.push(frame));
    let release: (() => void) | undefined;
    const got: string[] = [];
    one.onMessage(async (message) => {
      got.push(String(message));
      await new Promise<void>((resolve) => (release = resolve));
    });
    one.arrived(true, true, Buffer.from('one'));
    one.arrived(true, true, Buffer.from('two'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).to.deep.equal(['one']);
    expect(sent.length).to.equal(1);
    release?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).to.deep.equal(['one', 'two']);
    expect(sent.length).to.equal(2);
  });

  it('closes when the other side grants more than a window, and ends what waits to be sent', async () => {
    const sent: GatewayFrame[] = [];
    const one = new GatewayChannel(1, 'x', (frame) => void sent.push(frame));
    one.granted(1);
    expect(sent.at(-1)?.kind).to.equal('close');
    const other = new GatewayChannel(2, 'x', () => {});
    const sending = other.send(large);
    other.ended('gone');
    expect(await sending).to.equal(false);
  });
});
