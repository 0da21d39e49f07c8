import * as fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { readHeader } from '../../crypto/jose.js';
import { Secret } from '../../crypto/secret.js';
import { StreamOpener, StreamSealer } from '../../crypto/stream.js';
import { parseCommand } from '../../protocol/commands.js';
import { parseConsoleCard } from '../../protocol/console-card.js';
import { historyIn } from '../../protocol/history.js';
import { parseJson } from '../../protocol/json.js';
import { parseNodeCard } from '../../protocol/node-card.js';
import { replyDigestOf } from '../../protocol/reply.js';
import { readEnvelope, signerOf } from '../../protocol/request.js';
import { formatEnvelope, parseWire } from '../../protocol/wire.js';
import { commandInputs, mutate, mutations } from './fuzz-inputs.js';

/** One parser under attack: what it is fed, and what must hold of each answer. Throws when it does not. */
export interface FuzzTarget {
  readonly name: string;
  readonly inputs: fc.Arbitrary<unknown>;
  readonly check: (input: never) => void | Promise<void>;
  /** Where one input costs work with keys: so many of them come in the place of a thousand. */
  readonly of1000?: number;
}

function target<T>(name: string, inputs: fc.Arbitrary<T>, check: (input: T) => void): FuzzTarget {
  return { name, inputs, check };
}

/** Feeds a parser so many inputs, or as many fewer as it says. Answers how many. */
export async function feed(
  { inputs, check, of1000 = 1000 }: FuzzTarget,
  count: number,
  seed?: number,
): Promise<number> {
  const numRuns = Math.ceil((count * of1000) / 1000);
  const property = fc.asyncProperty(inputs, async (input) => check(input as never));
  await fc.assert(property, { numRuns, ...(seed === undefined ? {} : { seed }) });
  return numRuns;
}

const b64u = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((it) => Buffer.from(it).toString('base64url'));

const headers = fc
  .record(
    {
      alg: fc.constantFrom<unknown>('RSA-OAEP-256', 'RSA1_5', 'none', 'dir', 1),
      enc: fc.constantFrom<unknown>('A256GCM', 'A128GCM', null),
      typ: fc.constantFrom<unknown>(
        'bm-req+jwe',
        'bm-rep+jwe',
        'bm-req+jws',
        'bm-notice+jwe',
        'bm-notice+jws',
      ),
      kid: fc.oneof(b64u(32), fc.string(), fc.constant(null)),
      zip: fc.constant('DEF'),
      crit: fc.constant(['exp']),
    },
    { requiredKeys: [] },
  )
  .map((fields) => Buffer.from(JSON.stringify(fields)).toString('base64url'));

const envelopes = fc
  .tuple(headers, fc.oneof(b64u(256), b64u(0), b64u(3)), b64u(12), fc.base64String(), b64u(16))
  .map((parts) => parts.join('.'));

const hellos = fc
  .record({ v: fc.nat(2), node: b64u(32), boot: b64u(16), nonce: b64u(32), time: fc.maxSafeInteger() })
  .map((hello) => `H1 ${JSON.stringify(hello)}`);
const hints = fc
  .record({ code: fc.string(), detail: fc.string(), retryAfter: fc.integer() }, { requiredKeys: [] })
  .map((hint) => `E1 ${JSON.stringify(hint)}`);

const wires = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  hellos,
  hints,
  envelopes.map((it) => formatEnvelope('R1', it)),
  envelopes.map((it) => formatEnvelope('U1', it)),
  fc
    .tuple(
      fc.oneof(
        hellos,
        hints,
        envelopes.map((it) => formatEnvelope('P1', it)),
      ),
      mutations,
    )
    .map(([text, changes]) => mutate(text, changes)),
);

const card = JSON.stringify({
  v: 1,
  kind: 'node-card',
  name: 'web-1',
  identity: { kty: 'RSA', n: Buffer.alloc(256, 0xc3).toString('base64url'), e: 'AQAB' },
  keyStore: 'tpm',
  level: 0,
  lease: Buffer.alloc(16).toString('base64url'),
  key: { kty: 'RSA', n: Buffer.alloc(256, 0xc5).toString('base64url'), e: 'AQAB' },
  ways: [{ via: 'direct', url: 'wss://10.0.0.7:7443' }],
});
const consoleCard = JSON.stringify({
  v: 1,
  kind: 'console-card',
  name: 'desk',
  key: { kty: 'RSA', n: Buffer.alloc(256, 0xc3).toString('base64url'), e: 'AQAB' },
});
const mutated = (text: string) => mutations.map((changes) => mutate(text, changes));

const streamKey = randomBytes(32);
const streamId = randomBytes(16);
const frames = ((): Uint8Array => {
  const sealer = new StreamSealer(Secret.take(Uint8Array.from(streamKey)), streamId);
  return sealer.seal(Buffer.from('{"ack":1}'));
})();

/** What is taken exactly as it is must be what our own writer would write. */
function sameWhenTaken(taken: boolean, holds: () => boolean, what: string): void {
  if (taken && !holds()) throw new Error(what);
}

export const fuzzTargets: readonly FuzzTarget[] = [
  target('messages', wires, (text) => {
    const wire = parseWire(text);
    if (!wire.ok || wire.value.kind !== 'request') return;
    const { envelope } = wire.value;
    sameWhenTaken(true, () => formatEnvelope('R1', envelope) === text, 'a request with two spellings');
  }),
  target(
    'envelopes',
    fc.oneof(
      envelopes,
      fc.string(),
      fc.tuple(envelopes, mutations).map(([it, changes]) => mutate(it, changes)),
    ),
    (text) => {
      const envelope = readEnvelope(text);
      replyDigestOf(text);
      signerOf(text);
      if (!envelope.ok) return;
      const parts = text.split('.').map((part) => Buffer.from(part, 'base64url').toString('base64url'));
      sameWhenTaken(true, () => parts.join('.') === text, 'an envelope that is not canonical was taken');
      sameWhenTaken(
        true,
        () => readHeader('sealed-to', text, 'bm-req+jwe') !== undefined,
        'another header was taken',
      );
    },
  ),
  target('commands', commandInputs, (input) => {
    const before = JSON.stringify(input);
    const parsed = parseCommand(input, 'command');
    if (JSON.stringify(input) !== before) throw new Error('a parser changed its input');
    if (!parsed.ok) return;
    const again = parseCommand(parsed.value, 'command');
    sameWhenTaken(
      true,
      () => again.ok && JSON.stringify(again.value) === JSON.stringify(parsed.value),
      'parsing twice differs',
    );
  }),
  target(
    'json',
    fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.uint8Array(), mutated(card)),
    (input) => {
      const parsed = parseJson(input);
      if (parsed.ok && typeof input === 'string') JSON.parse(input);
    },
  ),
  target(
    'frames',
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(fc.nat(frames.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
        const altered = Uint8Array.from(frames);
        altered[at] = (altered[at] ?? 0) ^ bits;
        return altered;
      }),
    ),
    (frame) => {
      const opener = new StreamOpener(Secret.take(Uint8Array.from(streamKey)), streamId);
      const opened = opener.open(frame);
      if (!('fault' in opened)) throw new Error('an altered frame was opened');
      const after = opener.open(frames);
      if (!('fault' in after)) throw new Error('a frame was opened after a fault');
    },
  ),
  target('cards', fc.oneof(mutated(card), mutated(consoleCard), fc.json(), fc.string()), (text) => {
    parseNodeCard(text);
    parseConsoleCard(text);
  }),
  target('histories', fc.oneof(fc.string(), fc.json(), mutated(`${card}\n${card}`)), (text) => {
    historyIn(text);
  }),
];
