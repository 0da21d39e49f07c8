import { expect } from 'chai';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import type { Command } from '../../../protocol/commands.js';
import { openReply, replyDigestOf, sealReply } from '../../../protocol/reply.js';
import {
  newId,
  openEnvelope,
  readEnvelope,
  readStatement,
  sealRequest,
  signerOf,
  type Addressee,
} from '../../../protocol/request.js';
import { value, refusalIn } from '../../fakes/results.js';

describe('a sealed request', () => {
  let consolePair: Pair;
  let levelPair: Pair;
  let to: Addressee;
  const lease = newId();
  const boot = newId();
  before(async () => {
    [consolePair, levelPair] = await Promise.all([makePair(2048), makePair(2048)]);
    to = { level: 1, lease, key: levelPair.public };
  });
  const seal = (command: Command = { type: 'status' }) =>
    sealRequest(consolePair, to, command, { boot, now_s: 1_700_000_000 });

  it('is opened by the level it is sealed to, and proves who said it', async () => {
    const sealed = await seal({ type: 'node.rename', name: 'web-1' });
    const envelope = value(readEnvelope(sealed.text));
    expect(envelope.kid).to.equal(levelPair.public.id);
    expect(envelope.digest).to.equal(sealed.digest);
    const unsealed = value(openEnvelope(envelope, levelPair.private));
    expect(value(signerOf(unsealed.jws))).to.equal(consolePair.public.id);
    const { claims } = value(await readStatement(unsealed, consolePair.public, envelope.kid));
    expect(claims.command).to.deep.equal({ type: 'node.rename', name: 'web-1' });
    expect(claims).to.include({ lease, level: 1, boot, iat: 1_700_000_000, exp: 1_700_000_120 });
  });

  it('shows one and the same refusal whatever part of the seal is wrong', async () => {
    const { text } = await seal();
    const parts = text.split('.');
    for (const part of [1, 2, 3, 4]) {
      const altered = parts
        .map((p, at) => (at === part ? (p.startsWith('A') ? 'B' : 'A') + p.slice(1) : p))
        .join('.');
      const envelope = value(readEnvelope(altered));
      expect(refusalIn(openEnvelope(envelope, levelPair.private))).to.deep.equal({
        code: 'cannot-open',
      });
    }
  });

  it('is refused in any other spelling before a key is used', async () => {
    const { text } = await seal();
    const [header = '', ...rest] = text.split('.');
    const remade = (fields: object) =>
      [Buffer.from(JSON.stringify(fields)).toString('base64url'), ...rest].join('.');
    const fields = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
    expect(readEnvelope(remade(fields)).ok).to.equal(true);
    const doubled = Buffer.from(JSON.stringify(fields).replace('{', '{"alg":"none",')).toString('base64url');
    for (const wrong of [
      remade({ ...fields, zip: 'DEF' }),
      remade({ ...fields, crit: ['b64'], b64: false }),
      remade({ ...fields, jku: 'https://example.org' }),
      remade({ ...fields, alg: 'RSA1_5' }),
      remade({ ...fields, alg: 'dir' }),
      remade({ ...fields, typ: 'bm-rep+jwe' }),
      remade({ alg: fields['alg'], enc: fields['enc'], typ: fields['typ'] }),
      [doubled, ...rest].join('.'),
      `${text}=`,
      `${text}.`,
      text.slice(0, text.lastIndexOf('.')),
      `${text}AA=`,
      text.replace('.', '.\n'),
      JSON.stringify({ ciphertext: text }),
      '',
    ])
      expect(refusalIn(readEnvelope(wrong)).code, wrong.slice(0, 60)).to.equal('malformed');
  });

  it('is refused when another key signed it than it names', async () => {
    const other = await makePair(2048);
    const sealed = await seal();
    const unsealed = value(openEnvelope(value(readEnvelope(sealed.text)), levelPair.private));
    expect(refusalIn(await readStatement(unsealed, other.public, levelPair.public.id)).code).to.equal(
      'bad-signature',
    );
    expect(refusalIn(await readStatement(unsealed, consolePair.public, other.public.id)).code).to.equal(
      'wrong-node',
    );
  });

  it('has no second spelling with the leading zero bytes of its encrypted key left away', async () => {
    for (;;) {
      const { text } = await seal();
      const [header = '', key = '', ...rest] = text.split('.');
      const bytes = Buffer.from(key, 'base64url');
      if (bytes[0] !== 0) continue;
      const shorter = [header, bytes.subarray(1).toString('base64url'), ...rest].join('.');
      const envelope = value(readEnvelope(shorter));
      expect(refusalIn(openEnvelope(envelope, levelPair.private)).code).to.equal('cannot-open');
      return;
    }
  });

  it('keeps the secret of its reply out of the statement that histories keep', async () => {
    const sealed = await seal();
    const unsealed = value(openEnvelope(value(readEnvelope(sealed.text)), levelPair.private));
    const secret = sealed.secret.use((bytes) => Buffer.from(bytes).toString('base64url'));
    const [, payload = ''] = unsealed.jws.split('.');
    expect(Buffer.from(payload, 'base64url').toString()).to.not.include(secret);
    const other = await seal();
    const swapped = { jws: unsealed.jws, secret: other.secret };
    expect(refusalIn(await readStatement(swapped, consolePair.public, levelPair.public.id)).code).to.equal(
      'bad-signature',
    );
  });

  it('is answered so that only who asked can read it', async () => {
    const sealed = await seal();
    const reply = {
      v: 1,
      jti: sealed.jti,
      time: 1_700_000_001,
      nonce: 'A'.repeat(43),
      head: { seq: 0, digest: 'A'.repeat(43) },
      again: false,
      result: { name: 'web-1' },
    };
    const text = await sealReply(sealed.secret, sealed.digest, reply);
    expect(value(replyDigestOf(text))).to.equal(sealed.digest);
    expect(value(await openReply(sealed.secret, sealed.digest, text))).to.deep.equal(reply);
    const other = await seal();
    expect(refusalIn(await openReply(other.secret, sealed.digest, text)).code).to.equal('cannot-open');
    expect(refusalIn(await openReply(sealed.secret, other.digest, text)).code).to.equal('cannot-open');
  });
});
