import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { digestOf, toB64u } from '../../crypto/bytes.js';
import { sealTo, signBy, utf8 } from '../../crypto/jose.js';
import { importPrivate, type Pair } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import { signerOf } from '../../crypto/signer.js';
import { noticeForm, noticeTyp, openNotice, signedForm, type Notice } from '../../protocol/notice.js';
import type { Result } from '../../protocol/result.js';
import { parseWire } from '../../protocol/wire.js';
import { root } from '../../scripts/run/root.js';
import { mutate, mutations, nearly } from './fuzz-inputs.js';
import type { FuzzTarget } from './fuzz-targets.js';

interface Vectors {
  readonly keys: Record<'console' | 'identity', { readonly pkcs8: string }>;
  readonly notice: { readonly plaintext: object; readonly signed: object; readonly wire: string };
}

const vectors = JSON.parse(readFileSync(join(root, 'docs/protocol-vectors.json'), 'utf8')) as Vectors;

function pairOf(name: 'console' | 'identity'): Pair {
  const key = createPrivateKey(vectors.keys[name].pkcs8);
  return importPrivate(Secret.take(key.export({ type: 'pkcs8', format: 'der' })));
}

const [console, identity] = [pairOf('console'), pairOf('identity')];
const honest = ((): string => {
  const wire = parseWire(vectors.notice.wire);
  if (!wire.ok || wire.value.kind !== 'notice') throw new Error('the vectors have a notice');
  return wire.value.envelope;
})();

const open = (envelope: string): Promise<Result<Notice>> => openNotice(console, identity.public, envelope);
const seal = (plaintext: string): Promise<string> =>
  sealTo(console.public.key, { typ: noticeTyp.envelope, kid: console.public.id }, utf8(plaintext));
const sign = (payload: string): Promise<string> =>
  signBy(signerOf(identity), { typ: noticeTyp.statement, kid: identity.public.id }, utf8(payload));

async function neverTaken(envelope: string, what: string): Promise<void> {
  if ((await open(envelope)).ok) throw new Error(`${what} was taken`);
}

/** Text that is honest, or nearly so, in one of its places. */
const nearlyText = (of: object, members: Parameters<typeof nearly>[0]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant(JSON.stringify(of)),
    mutations.map((list) => mutate(JSON.stringify(of), list)),
    nearly(members).map((some) => JSON.stringify({ ...of, ...some })),
    nearly(members).map((some) => JSON.stringify(some)),
    fc.string({ unit: 'binary' }),
  );

const bodies = nearlyText(vectors.notice.plaintext, noticeForm.members ?? {});

/** What a console is told unasked, from the outermost seal to what stands in it; the inner layers are sealed and signed as they should be. */
export const noticeTargets: readonly FuzzTarget[] = [
  {
    name: 'notices',
    of1000: 500,
    inputs: fc.oneof(
      mutations.map((list) => mutate(honest, list)),
      fc.string(),
    ),
    check: (envelope: string) =>
      envelope === honest ? undefined : neverTaken(envelope, 'a notice that was altered on its way'),
  },
  {
    name: 'sealed notices',
    of1000: 100,
    inputs: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(mutations, bodies).map(([list, body]) => mutate(`eyJ.e30.sig~${toB64u(utf8(body))}`, list)),
    ),
    check: async (plaintext: string) => neverTaken(await seal(plaintext), 'a notice that N did not sign'),
  },
  {
    name: 'signed notices',
    of1000: 100,
    inputs: fc.tuple(
      bodies,
      fc.oneof(fc.constant({}), nearly(signedForm.members ?? {})),
      fc.boolean(),
      fc.option(mutations, { freq: 1 }),
    ),
    check: async ([body, some, names, list]: [
      string,
      object,
      boolean,
      Parameters<typeof mutate>[1] | null,
    ]) => {
      const of = names ? [digestOf(utf8(body))] : [];
      const whole = { v: 1, node: identity.public.id, ...vectors.notice.signed, of, ...some };
      const text = JSON.stringify(whole);
      const jws = await sign(list ? mutate(text, list) : text);
      const opened = await open(await seal(`${jws}~${toB64u(utf8(body))}`));
      if (!opened.ok) return;
      const { to, v } = opened.value;
      if (v !== 1 || to !== console.public.id) throw new Error('a notice to somebody else was taken');
      if (!noticeForm(JSON.parse(body), '').ok) throw new Error('a notice of another form was taken');
    },
  },
];
