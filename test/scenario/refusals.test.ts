import { expect } from 'chai';
import { makePair, publicKeyFromJwk, type Pair, type PublicJwk } from '../../crypto/rsa.js';
import { limits } from '../../protocol/limits.js';
import { newId, type Addressee } from '../../protocol/request.js';
import { openReply } from '../../protocol/reply.js';
import { formatEnvelope, formatHello, parseWire } from '../../protocol/wire.js';
import { altered, craft, type Forged } from '../fakes/craft.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import type { RawTalk } from './raw-socket.js';
import { RawStream } from './raw-stream.js';
import { Straight, ThroughGateway } from './refusal-ways.js';

for (const way of [new Straight(), new ThroughGateway()])
  describe(`what a real node refuses ${way.name}, each with its own code`, function () {
    this.timeout(120_000);
    let node: NodeProcess;
    let tenant: Pair;
    let stranger: Pair;
    let tenantTo: Addressee;
    const open: RawTalk[] = [];

    const socket = async (source?: string): Promise<RawTalk> => {
      const made = await way.open(source);
      open.push(made);
      return made;
    };
    /** Sends one forged request over a connection of its own, and gives the code. */
    const codeFor = async (
      forged: Forged,
      more: { from?: Pair; to?: Addressee; command?: Record<string, unknown>; nonce?: boolean } = {},
    ): Promise<string> => {
      const raw = await socket();
      const hello = await raw.hello();
      const request = await craft(
        more.from ?? node.landlord,
        more.to ?? node.to,
        more.command ?? { type: 'status' },
        more.nonce === false ? { boot: hello.boot } : hello,
        forged,
      );
      const code = await raw.outcome(request);
      raw.close();
      return code;
    };

    before(async () => {
      node = await NodeProcess.make({ init: ['--keys', 'file', ...(await way.prepare())] });
      await node.start();
      await way.reach(node);
      [tenant, stranger] = await Promise.all([makePair(2048), makePair(2048)]);
      const raw = await socket();
      const roster = [{ key: tenant.public.jwk, name: 'office', role: 'administrator' }];
      const until_s = Math.floor(Date.now() / 1000) + 3600;
      const grant = { type: 'lease.grant', to: roster, rights: ['boundaries', 'keys'], until: until_s };
      const granted = await raw.answer(await craft(node.landlord, node.to, grant, await raw.hello()));
      if ('hint' in granted) throw new Error(granted.hint.code);
      const { lease, pair } = granted.reply.result as { lease: string; pair: { jwk: PublicJwk } };
      const key = publicKeyFromJwk(pair.jwk);
      if (!key) throw new Error('no key');
      tenantTo = { level: 1, lease, key };
    });
    after(async () => {
      for (const raw of open) raw.close();
      await node.remove();
      await way.end();
    });

    it('carries out an honest one, so that the refusals below mean something', async () => {
      expect(await codeFor({})).to.equal('done');
      expect(await codeFor({}, { nonce: false })).to.equal('done');
      expect(await codeFor({}, { from: tenant, to: tenantTo })).to.equal('done');
    });

    it('replayed: the very same message, and the same statement under another seal', async () => {
      const raw = await socket();
      const hello = await raw.hello();
      const kept: string[] = [];
      const keep: Forged = { plaintext: (text) => (kept.push(text), text), secret: new Uint8Array(32) };
      const request = await craft(node.landlord, node.to, { type: 'status' }, hello, keep);
      expect(await raw.outcome(request)).to.equal('done');
      expect(await raw.outcome(request)).to.equal('replayed');
      const again: Forged = { plaintext: () => kept[0] ?? '', secret: new Uint8Array(32) };
      const resealed = await craft(node.landlord, node.to, { type: 'status' }, hello, again);
      expect(resealed.digest).to.not.equal(request.digest);
      expect(await raw.outcome(resealed)).to.equal('replayed');
    });

    it('replayed twice at once: only one is carried out', async () => {
      const raw = await socket();
      const request = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
      raw.send(request);
      raw.send(request);
      await until(() => raw.texts.filter((text) => /^[PE]1 /.test(text)).length === 2);
      const codes: string[] = [];
      for (const text of raw.texts) {
        const wire = value(parseWire(text));
        if (wire.kind === 'hint') codes.push(wire.hint.code);
        if (wire.kind !== 'reply') continue;
        const reply = value(await openReply(request.secret, request.digest, wire.envelope));
        codes.push(reply.error?.code ?? 'done');
      }
      expect(codes.sort()).to.deep.equal(['done', 'replayed']);
    });

    it('wrong-boot: what was recorded before a restart, also after a kill', async () => {
      const raw = await socket();
      const request = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
      const unsent = await craft(
        node.landlord,
        node.to,
        { type: 'status' },
        { boot: (await raw.hello()).boot },
      );
      expect(await raw.outcome(request)).to.equal('done');
      await node.kill();
      await node.start();
      await way.reach(node);
      const later = await socket();
      expect(await later.outcome(request)).to.equal('wrong-boot');
      expect(await later.outcome(unsent)).to.equal('wrong-boot');
    });

    it('stale and early, by the clock, and stale when it would hold for too long', async () => {
      const now = Math.floor(Date.now() / 1000);
      const clock = { nonce: false };
      expect(await codeFor({ claims: { iat: now - 200, exp: now - 100 } }, clock)).to.equal('stale');
      expect(await codeFor({ claims: { iat: now, exp: now + 121 } }, clock)).to.equal('stale');
      expect(await codeFor({ claims: { iat: now, exp: now - 1 } }, clock)).to.equal('stale');
      expect(await codeFor({ claims: { iat: now + 90, exp: now + 100 } }, clock)).to.equal('early');
      // With a nonce of the node the clocks do not matter, the length of life still does.
      expect(await codeFor({ claims: { iat: now + 9000, exp: now + 9060 } })).to.equal('done');
      expect(await codeFor({ claims: { iat: now, exp: now + 121 } })).to.equal('stale');
    });

    it('cut: shorter or longer than it says', async () => {
      const raw = await socket();
      const { text } = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
      const whole = formatEnvelope('R1', text);
      for (const wrong of [whole.slice(0, -1), `${whole}A`, whole.slice(0, whole.length / 2)])
        expect((await raw.hintAfter(() => raw.say(wrong))).code).to.equal('cut');
    });

    it('malformed: no message of the protocol, or one of the other side', async () => {
      const raw = await socket();
      for (const wrong of ['', 'H2', 'R1', 'R1 0 ', 'R1 5 a.b.c', 'P1 3 abc', 'E1 {"code":"x"}', 'R1 -1 a'])
        expect((await raw.hintAfter(() => raw.say(wrong))).code, wrong).to.equal('malformed');
      expect(await codeFor({ plaintext: (text) => text.replace('~', '') })).to.equal('malformed');
      expect(await codeFor({ statement: (jws) => `${jws}.` })).to.equal('malformed');
      expect(await codeFor({ statement: (jws) => jws.replace('.', '=.') })).to.equal('malformed');
    });

    it('too-large: an envelope beyond its limit', async () => {
      const raw = await socket();
      const { text } = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
      const long = text + 'A'.repeat(limits.envelope_chars_max);
      expect((await raw.hintAfter(() => raw.say(formatEnvelope('R1', long)))).code).to.equal('too-large');
    });

    it('wrong-node: sealed to a key that is not here, or meant for another', async () => {
      expect(await codeFor({ sealedTo: stranger.public })).to.equal('wrong-node');
      expect(await codeFor({ claims: { aud: stranger.public.id } })).to.equal('wrong-node');
    });

    it('wrong-level: sealed to one level and spoken for another', async () => {
      expect(await codeFor({ claims: { level: 1 } })).to.equal('wrong-level');
      expect(await codeFor({ sealedTo: node.to.key }, { from: tenant, to: tenantTo })).to.equal(
        'wrong-level',
      );
    });

    it('wrong-lease: made for another lease of the level', async () => {
      expect(await codeFor({ claims: { lease: newId() } })).to.equal('wrong-lease');
    });

    it('wrong-boot: made for another start', async () => {
      expect(await codeFor({ claims: { boot: newId() } })).to.equal('wrong-boot');
    });

    it('weak-key: the keys of the node are shorter than the console signed that it takes', async () => {
      expect(await codeFor({ claims: { keyBits: 3072 } })).to.equal('weak-key');
      expect(await codeFor({ claims: { keyBits: 2048 } })).to.equal('done');
      expect(await codeFor({ claims: { keyBits: 1024 } })).to.equal('bad-input');
    });

    it('unknown-console: signed by a stranger, or by a console of another level', async () => {
      expect(await codeFor({}, { from: stranger })).to.equal('unknown-console');
      expect(await codeFor({}, { from: tenant, to: node.to })).to.equal('unknown-console');
      expect(await codeFor({}, { from: node.landlord, to: tenantTo })).to.equal('unknown-console');
    });

    it('bad-signature: another key than is named, an altered statement, another secret than was signed', async () => {
      expect(await codeFor({ signer: node.landlord.public.id }, { from: stranger })).to.equal(
        'bad-signature',
      );
      expect(await codeFor({ claims: { iss: tenant.public.id } })).to.equal('bad-signature');
      expect(await codeFor({ statement: (jws) => altered(jws, 1) })).to.equal('bad-signature');
      expect(await codeFor({ statement: (jws) => altered(jws, 2) })).to.equal('bad-signature');
      expect(await codeFor({ claims: { reply: stranger.public.id } })).to.equal('bad-signature');
    });

    it('cannot-open: altered in any part of the seal', async () => {
      for (const part of [1, 2, 3, 4]) {
        const raw = await socket();
        const request = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
        const text = altered(request.text, part);
        const hint = await raw.hintAfter(() => raw.say(formatEnvelope('R1', text)));
        expect(hint.code, `part ${part}`).to.equal('cannot-open');
        raw.close();
      }
      const raw = await socket();
      const request = await craft(node.landlord, node.to, { type: 'status' }, await raw.hello());
      const hint = await raw.hintAfter(() => raw.say(formatEnvelope('R1', altered(request.text, 0))));
      expect(hint.code).to.equal('malformed');
    });

    it('bad-input and unknown-command: claims and commands that are not of the documented form', async () => {
      expect(await codeFor({ claims: { more: 1 } })).to.equal('bad-input');
      expect(await codeFor({ claims: { jti: undefined } })).to.equal('bad-input');
      expect(await codeFor({ claims: { v: 2 } })).to.equal('bad-input');
      expect(await codeFor({ payload: (text) => text.replace('{', '{"v":1,') })).to.equal('bad-input');
      expect(await codeFor({}, { command: { type: 'status', more: 1 } })).to.equal('bad-input');
      expect(await codeFor({}, { command: { type: 'self.destroy' } })).to.equal('unknown-command');
      expect(await codeFor({}, { command: { type: 'constructor' } })).to.equal('unknown-command');
    });

    it('nonce-needed and nonce-stale', async () => {
      const command = { type: 'consoles.remove', key: stranger.public.id };
      expect(await codeFor({}, { command, nonce: false })).to.equal('nonce-needed');
      const forgedNonce = Buffer.alloc(32).toString('base64url');
      expect(await codeFor({ claims: { nonce: forgedNonce } }, { command })).to.equal('nonce-stale');
      expect(await codeFor({ claims: { nonce: forgedNonce } })).to.equal('nonce-stale');
    });

    it('id-reused: one id for two commands', async () => {
      const jti = newId();
      const rename = (name: string) =>
        codeFor({ claims: { jti } }, { command: { type: 'node.rename', name } });
      expect(await rename('one')).to.equal('done');
      expect(await rename('two')).to.equal('id-reused');
      expect(await rename('one')).to.equal('done');
    });

    it('out-of-order: a command that should follow another does not act before it, nor twice after it', async () => {
      const [first, second] = [newId(), newId()];
      const rename = (claims: Record<string, unknown>, name: string) =>
        codeFor({ claims }, { command: { type: 'node.rename', name } });
      expect(await rename({ jti: second, after: first }, 'second')).to.equal('out-of-order');
      expect(await rename({ jti: first }, 'first')).to.equal('done');
      expect(await rename({ jti: second, after: first }, 'second')).to.equal('done');
      expect(await rename({ jti: newId(), after: first }, 'third')).to.equal('out-of-order');
      // A repetition of what acted is answered again, wherever its place was.
      expect(await rename({ jti: second, after: first }, 'second')).to.equal('done');
    });

    it('commands that follow each other act in their order when they are sent in one breath', async () => {
      const raw = await socket();
      const hello = await raw.hello();
      const ids = Array.from({ length: 8 }, () => newId());
      const requests = await Promise.all(
        ids.map((jti, at) =>
          craft(node.landlord, node.to, { type: 'node.rename', name: `n${at}` }, hello, {
            claims: { jti, ...(at === 0 ? {} : { after: ids[at - 1] }) },
          }),
        ),
      );
      const outcomes: string[] = [];
      for (const request of requests) outcomes.push(await raw.outcome(request));
      expect(outcomes).to.deep.equal(ids.map(() => 'done'));
      const twins = await Promise.all(
        [newId(), newId()].map((jti) =>
          craft(node.landlord, node.to, { type: 'node.rename', name: 'twin' }, hello, {
            claims: { jti, after: ids[7] },
          }),
        ),
      );
      // Only one of two can be the one after; which one comes first does not matter.
      const ends = await Promise.all(twins.map(async (twin) => (await socket()).outcome(twin)));
      expect(ends.sort()).to.deep.equal(['done', 'out-of-order']);
    });

    it('history-fork: the console saw another history, or a longer one', async () => {
      const digest = stranger.public.id;
      expect(await codeFor({ claims: { head: { seq: 1, digest } } })).to.equal('history-fork');
      expect(await codeFor({ claims: { head: { seq: 999_999, digest } } })).to.equal('history-fork');
      const raw = await socket();
      const hello = await raw.hello();
      const answer = await raw.answer(await craft(node.landlord, node.to, { type: 'status' }, hello));
      if ('hint' in answer) throw new Error(answer.hint.code);
      expect(await codeFor({ claims: { head: answer.reply.head } })).to.equal('done');
    });

    it('too-many: a source that sends rubbish is cut off, and an honest one beside it is not', async () => {
      const source = await way.newSource();
      const rubbish = await socket(source);
      const { boot } = await rubbish.hello();
      const wrong = await Promise.all(
        Array.from({ length: 8 }, () => craft(stranger, node.to, { type: 'status' }, { boot })),
      );
      const codes = new Set<string>();
      for (let round = 0; !rubbish.closed; round += 1) {
        const request = wrong[round % wrong.length];
        if (request) rubbish.send(request);
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const text of rubbish.texts) codes.add(/"code":"([a-z-]+)"/.exec(text)?.[1] ?? '');
      expect(codes).to.include('unknown-console').and.to.include('too-many');
      expect(/"retryAfter":\d+/.test(rubbish.texts.join(''))).to.equal(true);
      const again = await socket(source);
      // Straight, it is not let in at all; through a gateway, which carries others too, at its first word.
      if (!again.closed) again.say(formatHello());
      await until(() => again.closed);
      expect(await codeFor({})).to.equal('done');
    });

    describe('in a stream', () => {
      const follow = async (): Promise<RawStream> => {
        const raw = await socket();
        const command = { type: 'events.follow', after: 0 };
        return RawStream.begin(raw, await craft(node.landlord, node.to, command, await raw.hello()));
      };

      it('stream-gap: a frame is missing', async () => {
        const { raw, ack, end } = await follow();
        ack(0);
        expect((await raw.hintAfter(() => raw.say(ack(0)))).code).to.equal('stream-gap');
        expect(await end()).to.deep.equal({ end: 'stream-gap' });
      });

      it('stream-repeated: a frame comes twice', async () => {
        const { raw, ack, end } = await follow();
        const frame = ack(0);
        raw.say(frame);
        expect((await raw.hintAfter(() => raw.say(frame))).code).to.equal('stream-repeated');
        expect(await end()).to.deep.equal({ end: 'stream-repeated' });
      });

      it('stream-tampered: a frame was altered', async () => {
        const { raw, ack, end } = await follow();
        const frame = Buffer.from(ack(0));
        frame[frame.length - 20] = (frame[frame.length - 20] ?? 0) ^ 1;
        expect((await raw.hintAfter(() => raw.say(frame))).code).to.equal('stream-tampered');
        expect(await end()).to.deep.equal({ end: 'stream-tampered' });
      });

      it('malformed: it acknowledges what was never sent', async () => {
        const { raw, ack } = await follow();
        expect((await raw.hintAfter(() => raw.say(ack(1000)))).code).to.equal('malformed');
      });

      it('stream-ended: a frame after the end, or for no stream', async () => {
        const { raw, ack, sealer, end } = await follow();
        const late = ack(0);
        raw.say(Buffer.from(late));
        raw.say(sealer.seal(new Uint8Array(), true));
        expect(await end()).to.deep.equal({});
        expect((await raw.hintAfter(() => raw.say(late))).code).to.equal('stream-ended');
        expect((await raw.hintAfter(() => raw.say(Buffer.alloc(60)))).code).to.equal('stream-ended');
        expect((await raw.hintAfter(() => raw.say(Buffer.alloc(3)))).code).to.equal('stream-ended');
      });

      it('ends for a console that was removed meanwhile, and tells it nothing more', async () => {
        const extra = await makePair(2048);
        const add = {
          type: 'consoles.add',
          console: { key: extra.public.jwk, name: 'extra', role: 'developer' },
        };
        expect(await codeFor({}, { command: add })).to.equal('done');
        const talk = await socket();
        const request = await craft(extra, node.to, { type: 'events.follow' }, await talk.hello());
        const { raw, end } = await RawStream.begin(talk, request);
        const remove = { type: 'consoles.remove', key: extra.public.id };
        expect(await codeFor({}, { command: remove })).to.equal('done');
        expect(await end()).to.deep.equal({ end: 'unknown-console' });
        expect(raw.frames.length).to.equal(2);
      });
    });

    it('is still whole after all of this', async () => {
      const session = await node.session();
      value(await session.request({ command: { type: 'status' }, to: node.to }));
      session.close('done');
    });
  });
