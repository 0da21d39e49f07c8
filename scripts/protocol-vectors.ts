// node dist/scripts/protocol-vectors.js: makes docs/protocol-vectors.json anew. Keys and signatures are random, so each run gives
// another file; a unit test and the client in Python check that the one in docs/ holds.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, toB64u } from '../crypto/bytes.js';
import { sealTo, sign, utf8 } from '../crypto/jose.js';
import { makePair, type Pair } from '../crypto/rsa.js';
import { signerOf, type Signer } from '../crypto/signer.js';
import { sealNotices, type Addressed, type NoticeBody } from '../protocol/notice.js';
import { sealReply, streamSealer, type Reply } from '../protocol/reply.js';
import { newId, requestTyp, sealRequest } from '../protocol/request.js';
import { formatEnvelope } from '../protocol/wire.js';
import { altered, craft, type Forged } from '../test/fakes/craft.js';
import { root } from './run/root.js';
import { gatewayVectors } from './vectors/gateway.js';
import { bytesVectors, keptVectors, resumedVectors } from './vectors/streams.js';

const now_s = 1_800_000_000;

function keyOf(pair: Pair): Readonly<Record<string, unknown>> {
  return {
    public: pair.public.jwk,
    thumbprint: pair.public.id,
    pin: pair.public.spkiDigest,
    pkcs8: pair.private.export({ type: 'pkcs8', format: 'pem' }),
  };
}

const [consolePair, levelPair, identity, stranger] = await Promise.all(
  Array.from({ length: 4 }, () => makePair(2048)),
);
if (!consolePair || !levelPair || !identity || !stranger) throw new Error('four pairs were made');
const [lease, boot] = [newId(), newId()];
const to = { level: 1, lease, key: levelPair.public };
const secret = randomBytes(32);
const command = { type: 'node.rename' as const, name: 'web-1' };
const good = await sealRequest(consolePair, to, command, { boot, now_s, secret: Uint8Array.from(secret) });

/** A request with something wrong; the claims are those of an honest one where nothing else is said. */
async function forged(
  forgery: Forged,
  from: Pair = consolePair as Pair,
  text = (it: string): string => it,
): Promise<string> {
  const honest = { iat: now_s, exp: now_s + 60 };
  const request = await craft(
    from,
    to,
    command,
    { boot },
    { ...forgery, claims: { ...honest, ...forgery.claims } },
  );
  return formatEnvelope('R1', text(request.text));
}

async function withHeader(fields: Readonly<Record<string, unknown>>): Promise<string> {
  const header = { alg: 'RSA-OAEP-256', enc: 'A256GCM', typ: requestTyp.envelope, kid: to.key.id, ...fields };
  const made = await sealTo(to.key.key, { typ: requestTyp.envelope, kid: to.key.id }, utf8('x'));
  const [, ...rest] = made.split('.');
  return formatEnvelope('R1', [toB64u(utf8(JSON.stringify(header))), ...rest].join('.'));
}

const wire = formatEnvelope('R1', good.text);
const refused: readonly (readonly [why: string, code: string, wire: string])[] = [
  ['no kind of message', 'malformed', 'R2 1 a'],
  ['a length with a leading zero', 'malformed', wire.replace('R1 ', 'R1 0')],
  ['one character is missing', 'cut', wire.slice(0, -1)],
  ['one character too many', 'cut', `${wire}A`],
  ['padding', 'malformed', formatEnvelope('R1', `${good.text}=`)],
  ['a header with zip', 'malformed', await withHeader({ zip: 'DEF' })],
  ['a header with crit', 'malformed', await withHeader({ crit: ['exp'] })],
  ['another algorithm', 'malformed', await withHeader({ alg: 'RSA1_5' })],
  ['the typ of a reply', 'malformed', await withHeader({ typ: 'bm-rep+jwe' })],
  ['another key than any of the node', 'wrong-node', await forged({ sealedTo: stranger.public })],
  ...(await Promise.all(
    [1, 2, 3, 4].map(
      async (part) =>
        [
          `part ${part} of the envelope altered`,
          'cannot-open',
          await forged({}, consolePair, (it) => altered(it, part)),
        ] as const,
    ),
  )),
  [
    'no secret beside the statement',
    'malformed',
    await forged({ plaintext: (it) => it.slice(0, it.indexOf('~')) }),
  ],
  ['a secret that is too short', 'malformed', await forged({ plaintext: (it) => it.slice(0, -3) })],
  ['signed by a stranger', 'unknown-console', await forged({}, stranger)],
  [
    'signed by a stranger in the name of the console',
    'bad-signature',
    await forged({ signer: consolePair.public.id }, stranger),
  ],
  ['the payload altered', 'bad-signature', await forged({ statement: (it) => altered(it, 1) })],
  ['the signature altered', 'bad-signature', await forged({ statement: (it) => altered(it, 2) })],
  ['iss is another key', 'bad-signature', await forged({ claims: { iss: stranger.public.id } })],
  [
    'reply is not the digest of the secret',
    'bad-signature',
    await forged({ claims: { reply: stranger.public.id } }),
  ],
  ['aud is another key', 'wrong-node', await forged({ claims: { aud: stranger.public.id } })],
  ['a claim that is not known', 'bad-input', await forged({ claims: { more: 1 } })],
  ['a member twice', 'bad-input', await forged({ payload: (it) => it.replace('{', '{"v":1,') })],
  ['another level', 'wrong-level', await forged({ claims: { level: 0 } })],
  ['another lease', 'wrong-lease', await forged({ claims: { lease: newId() } })],
  ['another boot', 'wrong-boot', await forged({ claims: { boot: newId() } })],
  ['longer keys are asked for than the node has', 'weak-key', await forged({ claims: { keyBits: 3072 } })],
  ['too old', 'stale', await forged({ claims: { iat: now_s - 200, exp: now_s - 100 } })],
  ['would hold too long', 'stale', await forged({ claims: { exp: now_s + 121 } })],
  ['from the future', 'early', await forged({ claims: { iat: now_s + 31, exp: now_s + 60 } })],
];

const reply: Reply = {
  v: 1,
  jti: good.jti,
  time: now_s + 1,
  nonce: toB64u(randomBytes(32)),
  head: { seq: 0, digest: 'A'.repeat(43) },
  again: false,
  result: { name: 'web-1' },
};
const stream = newId();
const fromNode = streamSealer(good.secret, good.digest, stream, 'from-node');
const toNode = streamSealer(good.secret, good.digest, stream, 'to-node');
const texts = ['{"alive":0}', '{"seq":1,"time":1800000001,"kind":"node.renamed","name":"web-1"}', '{}'];
const frames = texts.map((plaintext, at) => ({
  plaintext,
  final: at === texts.length - 1,
  frame: toB64u(fromNode.seal(utf8(plaintext), at === texts.length - 1)),
}));
const [first, second] = frames;
if (!first || !second) throw new Error('three frames were made');
const tampered = Buffer.from(first.frame, 'base64url');
tampered[30] = (tampered[30] ?? 0) ^ 1;

const jws = await sign(
  consolePair.private,
  { typ: requestTyp.statement, kid: consolePair.public.id },
  utf8(
    JSON.stringify({
      v: 1,
      iss: consolePair.public.id,
      aud: to.key.id,
      lease,
      level: 1,
      jti: good.jti,
      iat: now_s,
      exp: now_s + 60,
      boot,
      reply: digestOf(secret),
      command,
    }),
  ),
);
const lines: string[] = [];
for (const [at, sees] of (['statement', 'digest', 'name'] as const).entries())
  lines.push(
    JSON.stringify({
      v: 1,
      node: identity.public.id,
      level: 1,
      lease,
      seq: at + 1,
      previous: at === 0 ? 'A'.repeat(43) : digestOf(lines[at - 1] ?? ''),
      time: now_s + at,
      by: { level: at === 0 ? 1 : 2 - at, console: consolePair.public.id },
      jti: at === 0 ? good.jti : newId(),
      command: at === 0 ? command.type : 'lease.extend',
      sees,
      ...(sees === 'statement' ? { statement: jws, outcome: { name: 'web-1' } } : {}),
      ...(sees === 'digest' ? { statement: digestOf('another statement') } : {}),
    }),
  );
const head = { seq: lines.length, digest: digestOf(lines.at(-1) ?? '') };
const checkpoint = await sign(
  identity.private,
  { typ: 'bm-checkpoint+jws', kid: identity.public.id },
  utf8(JSON.stringify({ v: 1, level: 1, lease, ...head, time: now_s + 9 })),
);

const body: NoticeBody = {
  v: 1,
  id: newId(),
  to: consolePair.public.id,
  on: good.digest,
  level: 1,
  lease,
  seq: 1,
  head,
  happened: [{ time: now_s + 9, kind: 'lease.dark', fields: { lease } }],
  left: 0,
};
const by = { keyStore: 'file' as const, boot, time: now_s + 10 };
const twin = { body: { ...body, id: newId(), to: stranger.public.id }, key: stranger.public };
const own = { body, key: consolePair.public };
/** The first of the notices that one signature covers. */
async function noticed(signer: Signer, ...notices: readonly Addressed[]): Promise<string> {
  const [envelope = ''] = await sealNotices(signer, by, notices);
  return formatEnvelope('U1', envelope);
}
const nodeSigner = signerOf(identity);
const notice = await noticed(nodeSigner, own, twin);
const liar: Signer = { ...signerOf(stranger), public: identity.public };
const noticesRefused: readonly (readonly [why: string, code: string, wire: string])[] = [
  ['signed by another node', 'wrong-node', await noticed(signerOf(stranger), own)],
  ['signed by another key in the name of N', 'bad-signature', await noticed(liar, own)],
  ['sealed to another console', 'wrong-console', await noticed(nodeSigner, twin)],
  [
    'made for another console and sealed to this one',
    'wrong-console',
    await noticed(nodeSigner, { ...own, body: twin.body }),
  ],
  ['altered', 'cannot-open', formatEnvelope('U1', altered(notice.slice(notice.lastIndexOf(' ') + 1), 3))],
];

const talk = { from: consolePair, to, boot, now_s, head };

const vectors = {
  about: 'Test vectors for docs/protocol.md. The keys are for tests only: their private halves stand here.',
  now: now_s,
  keys: {
    console: keyOf(consolePair),
    level: keyOf(levelPair),
    identity: keyOf(identity),
    stranger: keyOf(stranger),
  },
  node: { level: 1, lease, boot },
  request: { secret: toB64u(secret), jti: good.jti, command, name: good.digest, wire },
  refused: refused.map(([why, code, text]) => ({ why, code, wire: text })),
  reply: {
    plaintext: reply,
    wire: formatEnvelope('P1', await sealReply(good.secret, good.digest, reply)),
  },
  stream: {
    id: stream,
    fromNode: frames,
    toNode: { plaintext: '{"ack":3}', frame: toB64u(toNode.seal(utf8('{"ack":3}'))) },
    faults: [
      { why: 'the first frame is missing', taken: [], frame: second.frame, code: 'stream-gap' },
      { why: 'the first frame again', taken: [first.frame], frame: first.frame, code: 'stream-repeated' },
      { why: 'a byte altered', taken: [], frame: toB64u(tampered), code: 'stream-tampered' },
      {
        why: 'after the last one',
        taken: frames.map((it) => it.frame),
        frame: second.frame,
        code: 'stream-ended',
      },
    ],
  },
  resumed: await resumedVectors(talk, { after: 1, frame: first.frame }),
  bytes: await bytesVectors(talk),
  kept: await keptVectors(talk),
  gateway: await gatewayVectors({ console: consolePair, identity, stranger }, wire),
  history: { lines, head, checkpoint },
  notice: {
    plaintext: body,
    signed: by,
    wire: notice,
    refused: noticesRefused.map(([why, code, text]) => ({ why, code, wire: text })),
  },
};
writeFileSync(join(root, 'docs/protocol-vectors.json'), `${JSON.stringify(vectors, null, 1)}\n`);
