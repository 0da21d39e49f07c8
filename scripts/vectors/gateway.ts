import { randomBytes } from 'node:crypto';
import { toB64u } from '../../crypto/bytes.js';
import { signBy, utf8 } from '../../crypto/jose.js';
import type { Pair } from '../../crypto/rsa.js';
import { signerOf, type Signer } from '../../crypto/signer.js';
import { formatGatewayFrame, type GatewayFrame, type Proof } from '../../protocol/gateway/frames.js';
import { gatewayProofTyp, makeProof } from '../../protocol/gateway/proof.js';

export interface GatewayKeys {
  readonly console: Pair;
  readonly identity: Pair;
  readonly stranger: Pair;
}

/** A frame as a client reads it: bytes are shown in base64url. */
function meaning(frame: GatewayFrame): Readonly<Record<string, unknown>> {
  return frame.kind === 'data' ? { ...frame, bytes: toB64u(frame.bytes) } : { ...frame };
}

function shown(frame: GatewayFrame): Readonly<Record<string, unknown>> {
  return { means: meaning(frame), frame: toB64u(formatGatewayFrame(frame)) };
}

/** A message cut into pieces as its sender liked: the receiver puts them together whatever their sizes are. */
function pieces(message: string, channel: number, sizes: readonly number[]): readonly string[] {
  const bytes = utf8(message);
  const cut: string[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const end = Math.min(bytes.length, at + (sizes[turn % sizes.length] ?? 1));
    const last = end === bytes.length;
    const piece = formatGatewayFrame({
      kind: 'data',
      channel,
      last,
      text: true,
      bytes: bytes.subarray(at, end),
    });
    cut.push(toB64u(piece));
    at = end;
  }
  return cut;
}

/** Docs/gateway.md by example: coming in, each kind of frame, a message in pieces, and what nobody may send. */
export async function gatewayVectors(keys: GatewayKeys, message: string): Promise<object> {
  const [nonce, server] = [toB64u(randomBytes(32)), keys.stranger.public.spkiDigest];
  const [node, own, other] = [signerOf(keys.identity), signerOf(keys.console), signerOf(keys.stranger)];
  const proofOf = async (proof: Promise<Proof>): Promise<string> =>
    toB64u(formatGatewayFrame({ kind: 'proof', body: await proof }));
  const honest = makeProof(own, 'console', nonce, server);
  const inTheNameOf = async (signer: Signer): Promise<Proof> => ({
    ...(await honest),
    jws: await signBy(
      signer,
      { typ: gatewayProofTyp, kid: own.public.id },
      utf8(JSON.stringify({ v: 1, role: 'console', nonce, server })),
    ),
  });
  const elsewhere = makeProof(own, 'console', nonce, keys.console.public.spkiDigest);
  const refused: readonly (readonly [why: string, code: string, proof: Promise<Proof>])[] = [
    ['made for another connection', 'replayed', makeProof(own, 'console', toB64u(randomBytes(32)), server)],
    ['made for another server', 'wrong-pin', elsewhere],
    ['made for another role', 'bad-signature', honest.then((it) => ({ ...it, role: 'node' }))],
    [
      'names another key than the one beside it',
      'bad-signature',
      makeProof(own, 'console', nonce, server).then((it) => ({ ...it, key: keys.stranger.public.jwk })),
    ],
    ['signed by another key in the name of the console', 'bad-signature', inTheNameOf(other)],
  ];
  const channel = 7;
  const bytes = Uint8Array.from([0, 1, 2, 254, 255]);
  const frames: readonly GatewayFrame[] = [
    { kind: 'challenge', body: { v: 1, nonce } },
    { kind: 'welcome', body: { v: 1, channels: 4096 } },
    { kind: 'refused', body: { code: 'gateway-not-yours', detail: 'no lease of it runs' } },
    { kind: 'open', channel, body: { to: keys.identity.public.id } },
    { kind: 'open', channel, body: { from: keys.console.public.id } },
    { kind: 'opened', channel },
    { kind: 'close', channel, body: { code: 'unreachable', detail: 'the node left the gateway' } },
    { kind: 'data', channel, last: false, text: true, bytes: utf8('R1 18') },
    { kind: 'data', channel, last: true, text: false, bytes },
    { kind: 'data', channel, last: true, text: true, bytes: new Uint8Array() },
    { kind: 'credit', channel, bytes: 32_768 },
  ];
  const malformed: readonly (readonly [why: string, bytes: readonly number[]])[] = [
    ['no kind', []],
    ['a kind that is not known', [0x15, 0, 0, 0, 7]],
    ['a number of a channel that is cut', [0x11, 0, 0, 7]],
    ['opened, and more', [0x11, 0, 0, 0, 7, 0]],
    ['data without flags', [0x13, 0, 0, 0, 7]],
    ['a flag that is not known', [0x13, 0, 0, 0, 7, 4, 65]],
    ['a piece without bytes that is not the last', [0x13, 0, 0, 0, 7, 2]],
    ['a credit of three bytes', [0x14, 0, 0, 0, 7, 0, 1, 0]],
  ];
  return {
    server,
    nonce,
    frames: frames.map(shown),
    proofs: await Promise.all(
      [makeProof(node, 'node', nonce, server), honest].map(async (proof) => ({
        role: (await proof).role,
        key: (await proof).jws === (await honest).jws ? 'console' : 'identity',
        frame: await proofOf(proof),
      })),
    ),
    proofsRefused: await Promise.all(
      refused.map(async ([why, code, proof]) => ({ why, code, frame: await proofOf(proof) })),
    ),
    malformed: malformed.map(([why, one]) => ({ why, frame: toB64u(Uint8Array.from(one)) })),
    message: { wire: message, channel, pieces: pieces(message, channel, [1, 700, 300]) },
  };
}
