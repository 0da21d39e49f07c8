import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import {
  checkPasskey,
  registerPasskey,
  type KeptPasskey,
  type MadePasskey,
  type UsedPasskey,
} from '../../../../console-cluster/staff/passkey.js';
import { sha256 } from '../../../../crypto/bytes.js';

const origin = 'http://localhost:7400';
const ceremony = { challenge: 'c'.repeat(43), origin };
const b64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');
const id = Buffer.from('credential');

interface Said {
  readonly type?: string;
  readonly challenge?: string;
  readonly origin?: string;
  readonly crossOrigin?: boolean;
}
const clientData = (type: string, said: Said = {}): string =>
  b64(JSON.stringify({ type, challenge: ceremony.challenge, origin, crossOrigin: false, ...said }));

function authenticatorData(flags: number, count: number, site = 'localhost', named = id): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(count, 1);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(named.length);
  const attested = flags & 0x40 ? Buffer.concat([Buffer.alloc(16), length, named]) : Buffer.alloc(0);
  return Buffer.concat([sha256(site), head, attested]);
}

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const made: MadePasskey = {
  id: b64(id),
  clientData: clientData('webauthn.create'),
  authenticatorData: b64(authenticatorData(0x41, 1)),
  publicKey: b64(pair.publicKey.export({ type: 'spki', format: 'der' })),
  algorithm: -7,
};
const kept: KeptPasskey = { id: b64(id), key: made.publicKey, algorithm: -7, count: 1, added: 5 };

function used(
  options: {
    said?: Said;
    flags?: number;
    count?: number;
    site?: string;
    key?: KeyObject;
    type?: string;
  } = {},
): UsedPasskey {
  const data = authenticatorData(options.flags ?? 0x01, options.count ?? 2, options.site);
  const said = clientData(options.type ?? 'webauthn.get', options.said);
  const signed = Buffer.concat([data, sha256(Buffer.from(said, 'base64url'))]);
  const signature = sign('sha256', signed, options.key ?? pair.privateKey);
  return { id: b64(id), clientData: said, authenticatorData: b64(data), signature: b64(signature) };
}

const detail = (result: { ok: boolean; refusal?: { detail?: string } }): string | undefined =>
  result.ok ? 'fits' : result.refusal?.detail;

describe('a passkey', () => {
  it('is kept with its public key', () => {
    expect(registerPasskey(made, ceremony, 5)).to.deep.equal({ ok: true, value: kept });
  });

  it('is not kept when it was made for another site, question, use or name', () => {
    const cases: [string, MadePasskey][] = [
      [
        'it was made for another site',
        { ...made, clientData: clientData('webauthn.create', { origin: 'http://evil' }) },
      ],
      [
        'it answers another question',
        { ...made, clientData: clientData('webauthn.create', { challenge: 'x' }) },
      ],
      ['it was made for another use', { ...made, clientData: clientData('webauthn.get') }],
      [
        'it was made inside another site',
        { ...made, clientData: clientData('webauthn.create', { crossOrigin: true }) },
      ],
      [
        'it was made for another site',
        { ...made, authenticatorData: b64(authenticatorData(0x41, 1, 'evil')) },
      ],
      ['nobody touched the authenticator', { ...made, authenticatorData: b64(authenticatorData(0x40, 1)) }],
      ['the authenticator does not name the passkey', { ...made, id: b64('another') }],
      [
        'the authenticator does not name the passkey',
        { ...made, authenticatorData: b64(authenticatorData(0x01, 1)) },
      ],
      ['the kind of its key is not known here', { ...made, algorithm: -257 }],
      ['what the authenticator says is too short', { ...made, authenticatorData: b64('short') }],
      ['what the browser says cannot be read', { ...made, clientData: b64('{') }],
    ];
    for (const [why, given] of cases) expect(detail(registerPasskey(given, ceremony, 5))).to.equal(why);
  });

  it('lets in by its signature, and its counter moves', () => {
    expect(checkPasskey(kept, used(), ceremony)).to.deep.equal({ ok: true, value: 2 });
    expect(checkPasskey({ ...kept, count: 0 }, used({ count: 0 }), ceremony)).to.deep.equal({
      ok: true,
      value: 0,
    });
  });

  it('does not let in with anything else', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    const cases: [string, UsedPasskey][] = [
      ['its signature is wrong', used({ key: other })],
      ['its counter went back', used({ count: 1 })],
      ['its counter went back', used({ count: 0 })],
      ['nobody touched the authenticator', used({ flags: 0 })],
      ['it was made for another site', used({ site: 'evil' })],
      ['it was made for another site', used({ said: { origin: 'http://localhost:7401' } })],
      ['it answers another question', used({ said: { challenge: 'y' } })],
      ['it was made for another use', used({ type: 'webauthn.create' })],
    ];
    for (const [why, given] of cases) expect(detail(checkPasskey(kept, given, ceremony))).to.equal(why);
  });
});
