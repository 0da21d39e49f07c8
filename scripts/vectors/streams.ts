import { digestOf, toB64u } from '../../crypto/bytes.js';
import { utf8 } from '../../crypto/jose.js';
import type { Pair } from '../../crypto/rsa.js';
import type { StreamSealer } from '../../crypto/stream.js';
import type { Command } from '../../protocol/commands.js';
import { record, sizeRecord } from '../../protocol/records.js';
import { sealReply, streamSealer, type Reply } from '../../protocol/reply.js';
import { newId, sealRequest, type Addressee } from '../../protocol/request.js';
import { formatEnvelope } from '../../protocol/wire.js';

export interface Talk {
  readonly from: Pair;
  readonly to: Addressee;
  readonly boot: string;
  readonly now_s: number;
  readonly head: Reply['head'];
}

interface Begun {
  readonly request: object;
  readonly reply: object;
  readonly id: string;
  readonly fromNode: StreamSealer;
  readonly toNode: StreamSealer;
}

async function begun(talk: Talk, command: Command, result: Reply['result'] = {}): Promise<Begun> {
  const secret = globalThis.crypto.getRandomValues(new Uint8Array(32));
  const { boot, now_s, head } = talk;
  const sealed = await sealRequest(talk.from, talk.to, command, {
    boot,
    now_s,
    secret: Uint8Array.from(secret),
  });
  const id = newId();
  const reply: Reply = {
    v: 1,
    jti: sealed.jti,
    time: now_s,
    nonce: toB64u(globalThis.crypto.getRandomValues(new Uint8Array(32))),
    head,
    again: false,
    result,
    stream: id,
  };
  const of = [sealed.secret, sealed.digest, id] as const;
  const wire = formatEnvelope('P1', await sealReply(sealed.secret, sealed.digest, reply));
  return {
    request: {
      secret: toB64u(secret),
      jti: sealed.jti,
      command,
      name: sealed.digest,
      wire: formatEnvelope('R1', sealed.text),
    },
    reply: { plaintext: reply, wire },
    id,
    fromNode: streamSealer(...of, 'from-node'),
    toNode: streamSealer(...of, 'to-node'),
  };
}

function sealedTexts(sealer: StreamSealer, texts: readonly string[], ends: boolean): readonly object[] {
  return texts.map((plaintext, at) => {
    const final = ends && at === texts.length - 1;
    return { plaintext, final, frame: toB64u(sealer.seal(utf8(plaintext), final)) };
  });
}

/** A stream of events that goes on, on another connection, where one that was cut had come to; with a question and its answer. */
export async function resumedVectors(
  talk: Talk,
  cut: { readonly after: number; readonly frame: string },
): Promise<object> {
  const { request, reply, id, fromNode, toNode } = await begun(talk, {
    type: 'events.follow',
    after: cut.after,
  });
  const ask = newId();
  const answer = { answer: ask, head: talk.head, status: { name: 'web-1' } };
  const event = { seq: cut.after + 1, time: talk.now_s + 5, kind: 'node.renamed', name: 'web-2' };
  const said = [event, answer, { alive: cut.after + 1 }, {}].map((line) => JSON.stringify(line));
  const disguised = Buffer.from(cut.frame, 'base64url');
  disguised.set(Buffer.from(id, 'base64url'), 0);
  return {
    request,
    reply,
    id,
    fromNode: sealedTexts(fromNode, said, true),
    toNode: sealedTexts(toNode, [JSON.stringify({ ack: 0, ask }), '{"ack":3}'], false),
    faults: [
      {
        why: 'a frame of the stream before, under the id of this one',
        taken: [],
        frame: toB64u(disguised),
        code: 'stream-tampered',
      },
    ],
  };
}

interface Said {
  readonly bytes?: string;
  readonly word?: object;
}

/** A byte of zero and bytes, or a word. */
function sealedBytes(
  sealer: StreamSealer,
  all: readonly (Uint8Array | object)[],
  ends: boolean,
): readonly object[] {
  return all.map((one, at) => {
    const final = ends && at === all.length - 1;
    const said: Said = one instanceof Uint8Array ? { bytes: toB64u(one) } : { word: one };
    const plaintext =
      one instanceof Uint8Array ? Buffer.concat([Buffer.of(0), one]) : utf8(JSON.stringify(one));
    return { ...said, final, frame: toB64u(sealer.seal(plaintext, final)) };
  });
}

/** A command run inside an engine: a stream of bytes both ways, and the records in it. */
export async function bytesVectors(talk: Talk): Promise<object> {
  const command = {
    type: 'engine.exec',
    name: 'web',
    command: ['cat'],
    terminal: { rows: 24, columns: 80 },
  } as const;
  const { request, reply, id, fromNode, toNode } = await begun(talk, command);
  const typed = [sizeRecord(50, 132), record('input', utf8('hello\n')), record('inputEnd')];
  const heard = Buffer.concat([record('output', utf8('hello\r\n')), record('ended', Uint8Array.of(0))]);
  const records = (all: Uint8Array, of: readonly (readonly [kind: number, text: string])[]): object => ({
    bytes: toB64u(all),
    records: of.map(([kind, content]) => ({ kind, bytes: toB64u(Buffer.from(content, 'latin1')) })),
  });
  return {
    request,
    reply,
    id,
    toNode: sealedBytes(toNode, [Buffer.concat(typed), { ack: 1 }, { ack: 2 }], false),
    // Where frames begin means nothing to the records in them.
    fromNode: sealedBytes(
      fromNode,
      [heard.subarray(0, 8), { ack: 1 }, heard.subarray(8), { done: {} }],
      true,
    ),
    records: {
      toEngine: records(Buffer.concat(typed), [
        [1, '\u0000\u0032\u0000\u0084'],
        [0, 'hello\n'],
        [2, ''],
      ]),
      fromEngine: records(heard, [
        [3, 'hello\r\n'],
        [5, '\u0000'],
      ]),
    },
  };
}

/** New filters on trial, kept by showing the secret whose digest the signed command carries. */
export async function keptVectors(talk: Talk): Promise<object> {
  const shown = globalThis.crypto.getRandomValues(new Uint8Array(32));
  const command = {
    type: 'filters.replace',
    expect: 0,
    set: { otherwise: 'deny', filters: [{ action: 'allow', peers: ['192.0.2.1'] }] },
    confirmWithin: 60,
    keep: digestOf(shown),
  } as const;
  const { request, reply, id, fromNode, toNode } = await begun(talk, command, { version: 1 });
  const last = { bytes: '', final: true, frame: '' };
  const bytes = sealedBytes(toNode, [shown], false);
  return {
    request,
    reply,
    id,
    secret: toB64u(shown),
    // The console's last frame says that this was all; its plaintext means nothing.
    toNode: [...bytes, { ...last, frame: toB64u(toNode.seal(new Uint8Array(), true)) }],
    fromNode: sealedBytes(fromNode, [{ ack: 1 }, { done: { version: 1 } }], true),
  };
}
