import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { judge } from '../../../bmonitor/node/judge.js';
import { Nonces } from '../../../bmonitor/node/nonces.js';
import type { NodeState } from '../../../bmonitor/node/state.js';
import { digestOf } from '../../../crypto/bytes.js';
import { verify } from '../../../crypto/jose.js';
import { importPrivate, thumbprint, type Pair, type PublicJwk } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import { createPrivateKey } from 'node:crypto';
import { openNotice, type Notice } from '../../../protocol/notice.js';
import { openReply, streamOpener } from '../../../protocol/reply.js';
import {
  openEnvelope,
  readEnvelope,
  readStatement,
  signerOf,
  type Statement,
} from '../../../protocol/request.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { parseWire } from '../../../protocol/wire.js';
import { root } from '../../../scripts/run/root.js';
import { refusalIn, value } from '../../fakes/results.js';

interface Vectors {
  now: number;
  keys: Record<
    'console' | 'level' | 'identity',
    { public: PublicJwk; thumbprint: string; pin: string; pkcs8: string }
  >;
  node: { level: number; lease: string; boot: string };
  request: { secret: string; jti: string; command: object; name: string; wire: string };
  refused: { why: string; code: string; wire: string }[];
  reply: { plaintext: object; wire: string };
  stream: {
    id: string;
    fromNode: { plaintext: string; final: boolean; frame: string }[];
    toNode: { plaintext: string; frame: string };
    faults: { why: string; taken: string[]; frame: string; code: string }[];
  };
  history: { lines: string[]; head: { seq: number; digest: string }; checkpoint: string };
  notice: {
    plaintext: object;
    signed: object;
    wire: string;
    refused: { why: string; code: string; wire: string }[];
  };
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));

describe('the published test vectors', () => {
  const vectors = JSON.parse(readFileSync(join(root, 'docs/protocol-vectors.json'), 'utf8')) as Vectors;
  const pairOf = ({ pkcs8 }: { pkcs8: string }): Pair =>
    importPrivate(Secret.take(createPrivateKey(pkcs8).export({ type: 'pkcs8', format: 'der' })));
  const consolePair = pairOf(vectors.keys.console);
  const level = pairOf(vectors.keys.level);
  const identity = pairOf(vectors.keys.identity);
  const secret = (): Secret => Secret.take(bytes(vectors.request.secret));

  /** What a node does with a message, as far as it needs no memory. */
  async function judged(text: string): Promise<Result<Statement>> {
    const wire = parseWire(text);
    if (!wire.ok) return wire;
    if (wire.value.kind !== 'request') return refuse('malformed');
    const envelope = readEnvelope(wire.value.envelope);
    if (!envelope.ok) return envelope;
    if (envelope.value.kid !== level.public.id) return refuse('wrong-node');
    const unsealed = openEnvelope(envelope.value, level.private);
    if (!unsealed.ok) return unsealed;
    const kid = signerOf(unsealed.value.jws);
    if (!kid.ok) return kid;
    if (kid.value !== consolePair.public.id) return refuse('unknown-console');
    const statement = await readStatement(unsealed.value, consolePair.public, envelope.value.kid);
    if (!statement.ok) return statement;
    const { lease, boot } = vectors.node;
    const other = { lease: 'other', roster: [] };
    const own = { lease, roster: [{ id: consolePair.public.id }] };
    const state = { levels: [other, own] } as unknown as NodeState;
    const nonces = new Nonces({ wall: () => 0, sinceBoot: () => 0 });
    const may = judge(statement.value.claims, 1, {
      state,
      boot,
      now_s: vectors.now,
      nonces,
      keyBits: () => level.public.bits,
    });
    return may.ok ? ok(statement.value) : may;
  }

  it('name the keys', () => {
    for (const key of Object.values(vectors.keys)) {
      expect(thumbprint(key.public)).to.equal(key.thumbprint);
      expect(pairOf(key).public).to.include({ id: key.thumbprint, spkiDigest: key.pin });
    }
  });

  it('hold for the request', async () => {
    const { claims, digest } = value(await judged(vectors.request.wire));
    expect(claims).to.deep.include({ jti: vectors.request.jti, command: vectors.request.command });
    expect(claims.reply).to.equal(digestOf(bytes(vectors.request.secret)));
    expect(digest).to.be.a('string');
  });

  for (const { why, code, wire } of vectors.refused)
    it(`hold for a request that is refused with ${code}: ${why}`, async () => {
      expect(refusalIn(await judged(wire)).code).to.equal(code);
    });

  it('hold for the reply', async () => {
    const wire = value(parseWire(vectors.reply.wire));
    if (wire.kind !== 'reply') throw new Error('not a reply');
    const reply = value(await openReply(secret(), vectors.request.name, wire.envelope));
    expect(reply).to.deep.equal(vectors.reply.plaintext);
  });

  it('hold for the frames of a stream, both ways', () => {
    const { id, fromNode, toNode } = vectors.stream;
    const from = streamOpener(secret(), vectors.request.name, id, 'from-node');
    for (const { plaintext, final, frame } of fromNode)
      expect(from.open(bytes(frame))).to.deep.equal({ plaintext: Buffer.from(plaintext), final });
    const opened = streamOpener(secret(), vectors.request.name, id, 'to-node').open(bytes(toNode.frame));
    expect(opened).to.deep.equal({ plaintext: Buffer.from(toNode.plaintext), final: false });
  });

  for (const { why, taken, frame, code } of vectors.stream.faults)
    it(`hold for a frame that is refused with ${code}: ${why}`, () => {
      const opener = streamOpener(secret(), vectors.request.name, vectors.stream.id, 'from-node');
      for (const before of taken) opener.open(bytes(before));
      const opened = opener.open(bytes(frame));
      expect('fault' in opened && `stream-${opened.fault}`).to.equal(code);
    });

  async function noticed(text: string): Promise<Result<Notice>> {
    const wire = parseWire(text);
    if (!wire.ok) return wire;
    if (wire.value.kind !== 'notice') return refuse('malformed');
    return openNotice(consolePair, identity.public, wire.value.envelope);
  }

  it('hold for a notice', async () => {
    const { boot: _, ...signed } = vectors.notice.signed as { boot: string };
    expect(value(await noticed(vectors.notice.wire))).to.deep.equal({
      ...vectors.notice.plaintext,
      ...signed,
    });
  });

  for (const { why, code, wire } of vectors.notice.refused)
    it(`hold for a notice that is refused with ${code}: ${why}`, async () => {
      expect(refusalIn(await noticed(wire)).code).to.equal(code);
    });

  it('hold for the history', async () => {
    const { lines, head, checkpoint } = vectors.history;
    let previous = 'A'.repeat(43);
    for (const line of lines) {
      expect((JSON.parse(line) as { previous: string }).previous).to.equal(previous);
      previous = digestOf(line);
    }
    expect(previous).to.equal(head.digest);
    const signed = await verify(identity.public.key, checkpoint);
    expect(JSON.parse(Buffer.from(signed ?? '').toString())).to.deep.include(head);
  });
});
