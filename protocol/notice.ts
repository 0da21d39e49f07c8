import { digestOf, fromB64u, toB64u } from '../crypto/bytes.js';
import { isCanonical, openWith, readHeader, sealTo, signBy, utf8, verify } from '../crypto/jose.js';
import type { Pair, PublicKey } from '../crypto/rsa.js';
import type { Signer } from '../crypto/signer.js';
import { digestText, idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { list, object, oneOf, opaqueObject, optional, text, whole, type Parsed } from './parse.js';
import { historyHead } from './request.js';
import { ok, refuse, type Result } from './result.js';

/**
 * A notice: what the node says unasked, signed by its identity key N and sealed to the console's own key.
 *
 * N may be in a TPM, where a signature takes tens of milliseconds, so one signature covers the notices of many consoles: what is signed
 * is the list of their digests, and each console gets that list and its own notice. The random id in a notice keeps those who see its digest from guessing it.
 */
export const noticeTyp = { statement: 'bm-notice+jws', envelope: 'bm-notice+jwe' } as const;

/** What is told in a notice, beside checkpoints of the history. */
export const noticedKinds: ReadonlySet<string> = new Set([
  'lease.ending',
  'lease.dark',
  'lease.ended',
  'filters.undone',
  'filters.altered',
  'filters.repair-failed',
  'node.transferred',
  'history.filling',
  'history.full',
]);

const seconds = whole({ min: 0, max: 32_503_680_000 });

const happenedForm = object({ time: seconds, kind: text({ max: 100 }), fields: opaqueObject });
export type Happened = Parsed<typeof happenedForm>;

export const noticeForm = object({
  v: whole({ min: 1, max: 1 }),
  id: idText,
  /** Thumbprint of the console's key. */
  to: digestText,
  /** The name of the request by which the console proved itself on this connection: a notice holds on no other. */
  on: digestText,
  level: whole({ min: 0, max: limits.levels_max - 1 }),
  lease: idText,
  /** Counts the notices of this lease to this console on this connection, from 1. */
  seq: whole({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  /** The head of the level's history; absent when the lease is over. */
  head: optional(historyHead),
  /** Oldest first; none in a notice that is only a checkpoint. */
  happened: list(happenedForm, { max: limits.notice_lines_max }),
  /** How much more happened than there was room for. */
  left: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
});
export type NoticeBody = Parsed<typeof noticeForm>;

export const signedForm = object({
  v: whole({ min: 1, max: 1 }),
  node: digestText,
  keyStore: oneOf('tpm', 'file'),
  boot: idText,
  time: seconds,
  of: list(digestText, { max: limits.notices_per_signature_max }),
});
export type Signed = Parsed<typeof signedForm>;

export interface Notice extends NoticeBody {
  /** When it was signed, and where the key rests that signed it. */
  readonly time: number;
  readonly keyStore: 'tpm' | 'file';
}

export interface Addressed {
  readonly body: NoticeBody;
  readonly key: PublicKey;
}

/** One signature over all of them, then a seal for each. */
export async function sealNotices(
  identity: Signer,
  by: Omit<Signed, 'v' | 'node' | 'of'>,
  notices: readonly Addressed[],
): Promise<readonly string[]> {
  const bodies = notices.map(({ body }) => utf8(JSON.stringify(body)));
  const signed: Signed = {
    v: 1,
    node: identity.public.id,
    ...by,
    of: bodies.map((body) => digestOf(body)),
  };
  const header = { typ: noticeTyp.statement, kid: identity.public.id };
  const jws = await signBy(identity, header, utf8(JSON.stringify(signed)));
  return Promise.all(
    notices.map(({ key }, at) =>
      sealTo(
        key.key,
        { typ: noticeTyp.envelope, kid: key.id },
        utf8(`${jws}~${toB64u(bodies[at] ?? new Uint8Array())}`),
      ),
    ),
  );
}

/** With the identity key that the console pinned. Whether it is new, and of this connection, only the session knows. */
export async function openNotice(pair: Pair, identity: PublicKey, envelope: string): Promise<Result<Notice>> {
  if (envelope.length > limits.notice_chars_max) return refuse('too-large');
  const header = readHeader('sealed-to', envelope, noticeTyp.envelope);
  if (!header || !isCanonical(envelope)) return refuse('malformed', 'not a sealed notice');
  if (header.kid !== pair.public.id) return refuse('wrong-console', `sealed to ${header.kid}`);
  const plaintext = openWith(pair.private, envelope);
  if (!plaintext) return refuse('cannot-open');
  const [jws = '', spelled = '', ...more] = Buffer.from(plaintext).toString('latin1').split('~', 3);
  const bytes = fromB64u(spelled);
  const head = readHeader('signed', jws, noticeTyp.statement);
  if (!bytes || !head || more.length > 0 || !isCanonical(jws))
    return refuse('malformed', 'not a signed notice');
  if (head.kid !== identity.id) return refuse('wrong-node', `signed by the node ${head.kid}`);
  const payload = await verify(identity.key, jws);
  if (!payload) return refuse('bad-signature');
  const signed = parsed(payload, signedForm);
  if (!signed.ok) return signed;
  const { node, of, time, keyStore } = signed.value;
  if (node !== identity.id || !of.includes(digestOf(bytes)))
    return refuse('bad-signature', 'the notice is not among those that were signed');
  const body = parsed(bytes, noticeForm);
  if (!body.ok) return body;
  if (body.value.to !== pair.public.id) return refuse('wrong-console', `made for ${body.value.to}`);
  return ok({ ...body.value, time, keyStore });
}

function parsed<T>(bytes: Uint8Array, form: (value: unknown, where: string) => Result<T>): Result<T> {
  const json = parseJson(bytes);
  return json.ok ? form(json.value, '') : json;
}
