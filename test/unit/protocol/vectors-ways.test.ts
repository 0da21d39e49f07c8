import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { PublicJwk } from '../../../crypto/rsa.js';
import { digestOf } from '../../../crypto/bytes.js';
import { Secret } from '../../../crypto/secret.js';
import {
  formatGatewayFrame,
  parseGatewayFrame,
  type GatewayFrame,
} from '../../../protocol/gateway/frames.js';
import { checkProof } from '../../../protocol/gateway/proof.js';
import { RecordReader } from '../../../protocol/records.js';
import { openReply, streamOpener } from '../../../protocol/reply.js';
import { parseWire } from '../../../protocol/wire.js';
import { root } from '../../../scripts/run/root.js';
import { refusalIn, value } from '../../fakes/results.js';

interface Begun {
  request: { secret: string; name: string };
  reply: { plaintext: object; wire: string };
  id: string;
}
interface Fault {
  why: string;
  code: string;
  frame: string;
}
interface Frame {
  final: boolean;
  frame: string;
}
interface Records {
  bytes: string;
  records: { kind: number; bytes: string }[];
}
interface Vectors {
  keys: Record<'console' | 'identity', { public: PublicJwk; thumbprint: string }>;
  resumed: Begun & Record<'fromNode' | 'toNode', (Frame & { plaintext: string })[]> & { faults: Fault[] };
  bytes: Begun &
    Record<'fromNode' | 'toNode', (Frame & { bytes?: string; word?: object })[]> & {
      records: Record<'toEngine' | 'fromEngine', Records>;
    };
  kept: Begun &
    Record<'fromNode' | 'toNode', (Frame & { bytes?: string; word?: object })[]> & {
      request: { command: { keep: string } };
      secret: string;
    };
  gateway: {
    server: string;
    nonce: string;
    frames: { means: Record<string, unknown>; frame: string }[];
    proofs: { role: string; key: 'console' | 'identity'; frame: string }[];
    proofsRefused: Fault[];
    malformed: { why: string; frame: string }[];
    message: { wire: string; channel: number; pieces: string[] };
  };
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
const shown = (all: Uint8Array): string => Buffer.from(all).toString('base64url');

describe('the published test vectors of streams and gateways', () => {
  const vectors = JSON.parse(readFileSync(join(root, 'docs/protocol-vectors.json'), 'utf8')) as Vectors;
  const secretOf = ({ request }: Begun): Secret => Secret.take(bytes(request.secret));
  const openerOf = (of: Begun, direction: 'from-node' | 'to-node') =>
    streamOpener(secretOf(of), of.request.name, of.id, direction);

  for (const name of ['resumed', 'bytes', 'kept'] as const)
    it(`hold for the reply that begins a stream: ${name}`, async () => {
      const of = vectors[name];
      const wire = value(parseWire(of.reply.wire));
      if (wire.kind !== 'reply') throw new Error('not a reply');
      const reply = value(await openReply(secretOf(of), of.request.name, wire.envelope));
      expect(reply).to.deep.equal(of.reply.plaintext).and.to.include({ stream: of.id });
    });

  for (const [side, direction] of [
    ['fromNode', 'from-node'],
    ['toNode', 'to-node'],
  ] as const) {
    it(`hold for the frames of a stream that goes on, ${direction}`, () => {
      const opener = openerOf(vectors.resumed, direction);
      for (const { plaintext, final, frame } of vectors.resumed[side])
        expect(opener.open(bytes(frame))).to.deep.equal({ plaintext: Buffer.from(plaintext), final });
    });

    it(`hold for the frames of a stream of bytes, ${direction}, and for the records in them`, () => {
      const opener = openerOf(vectors.bytes, direction);
      const reader = new RecordReader();
      const records: Records['records'] = [];
      for (const { bytes: raw, word, final, frame } of vectors.bytes[side]) {
        const opened = opener.open(bytes(frame));
        if ('fault' in opened) throw new Error(opened.fault);
        expect(opened.final).to.equal(final);
        const [mark] = opened.plaintext;
        expect(mark).to.equal(raw === undefined ? '{'.charCodeAt(0) : 0);
        if (raw === undefined)
          expect(JSON.parse(Buffer.from(opened.plaintext).toString())).to.deep.equal(word);
        else
          for (const one of value(reader.take(opened.plaintext.subarray(1))))
            records.push({ kind: one.kind, bytes: shown(one.bytes) });
      }
      const wanted = vectors.bytes.records[side === 'toNode' ? 'toEngine' : 'fromEngine'];
      expect(records).to.deep.equal(wanted.records);
    });
  }

  it('hold for a change that is kept by its secret: the secret, that it was all, and what the node says', () => {
    const { kept } = vectors;
    expect(digestOf(bytes(kept.secret))).to.equal(kept.request.command.keep);
    const openedOn = (side: 'fromNode' | 'toNode', direction: 'from-node' | 'to-node') => {
      const opener = openerOf(kept, direction);
      return kept[side].map(({ frame }) => opener.open(bytes(frame)));
    };
    expect(openedOn('toNode', 'to-node')).to.deep.equal([
      { plaintext: Buffer.concat([Buffer.of(0), bytes(kept.secret)]), final: false },
      { plaintext: Buffer.alloc(0), final: true },
    ]);
    expect(openedOn('fromNode', 'from-node')).to.deep.equal([
      { plaintext: Buffer.from('{"ack":1}'), final: false },
      { plaintext: Buffer.from('{"done":{"version":1}}'), final: true },
    ]);
  });

  for (const { why, code, frame } of vectors.resumed.faults)
    it(`hold for a frame that is refused with ${code}: ${why}`, () => {
      const opened = openerOf(vectors.resumed, 'from-node').open(bytes(frame));
      expect('fault' in opened && `stream-${opened.fault}`).to.equal(code);
    });

  const frameOf = (text: string): GatewayFrame => value(parseGatewayFrame(bytes(text)));

  it('hold for each kind of frame of a gateway, read and written', () => {
    for (const { means, frame } of vectors.gateway.frames) {
      const read = frameOf(frame);
      expect(read.kind === 'data' ? { ...read, bytes: shown(read.bytes) } : read).to.deep.equal(means);
      expect(shown(formatGatewayFrame(read))).to.equal(frame);
    }
    const kinds = [...vectors.gateway.frames, ...vectors.gateway.proofs].map((it) => bytes(it.frame)[0]);
    expect(new Set(kinds)).to.deep.equal(new Set([1, 2, 3, 4, 16, 17, 18, 19, 20]));
  });

  for (const { why, frame } of vectors.gateway.malformed)
    it(`hold for a frame of a gateway that is malformed: ${why}`, () => {
      expect(refusalIn(parseGatewayFrame(bytes(frame))).code).to.equal('malformed');
    });

  const proved = (frame: string) => {
    const read = frameOf(frame);
    if (read.kind !== 'proof') throw new Error('not a proof');
    return checkProof(read.body, vectors.gateway.nonce, vectors.gateway.server);
  };

  for (const { role, key, frame } of vectors.gateway.proofs)
    it(`hold for the proof of a ${role}`, async () => {
      expect(value(await proved(frame)).id).to.equal(vectors.keys[key].thumbprint);
    });

  for (const { why, code, frame } of vectors.gateway.proofsRefused)
    it(`hold for a proof that is refused with ${code}: ${why}`, async () => {
      expect(refusalIn(await proved(frame)).code).to.equal(code);
    });

  it('hold for a message in pieces', () => {
    const { wire, channel, pieces } = vectors.gateway.message;
    const read = pieces.map(frameOf).flatMap((it) => (it.kind === 'data' ? [it] : []));
    expect(Buffer.concat(read.map((it) => it.bytes)).toString()).to.equal(wire);
    expect(read.map((it) => it.last)).to.deep.equal(pieces.map((_, at) => at === pieces.length - 1));
    for (const it of read) expect(it).to.include({ channel, text: true });
  });
});
