import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { toB64u } from '../../crypto/bytes.js';
import { verify } from '../../crypto/jose.js';
import type { Pair, PublicJwk, PublicKey } from '../../crypto/rsa.js';
import { Secret } from '../../crypto/secret.js';
import type { Command } from '../../protocol/commands.js';
import { identityOf } from '../../protocol/node-card.js';
import type { Addressee } from '../../protocol/request.js';
import type { Result } from '../../protocol/result.js';
import { sealShare, verifyBoot } from '../../protocol/unlock.js';
import { makePair } from '../../crypto/rsa.js';
import { refusalIn, value } from '../fakes/results.js';
import { NodeProcess } from './node-process.js';
import { addressee, patiently, rent, rosterOf, type Tenancy } from './tenancy.js';

type Answer = Readonly<Record<string, unknown>>;

describe('the keys of a node', function () {
  this.timeout(180_000);
  let node: NodeProcess;
  let landlord: Addressee;
  beforeEach(async () => {
    node = await NodeProcess.make();
    await node.start();
    landlord = node.to;
  });
  afterEach(() => node.remove());

  async function ask(console: Pair, to: Addressee, command: Command): Promise<Result<Answer>> {
    const session = await node.session(console);
    try {
      const reply = await patiently(session, { command, to });
      return reply.ok ? { ok: true, value: reply.value.result ?? {} } : reply;
    } finally {
      session.close('done');
    }
  }
  const asLandlord = (command: Command) => ask(node.landlord, landlord, command);
  const asTenant = (tenancy: Tenancy, command: Command) => ask(tenancy.console, tenancy.to, command);
  const codeOf = async (asked: Promise<Result<Answer>>): Promise<string> => refusalIn(await asked).code;
  const identity = (): PublicKey => value(identityOf(node.card));

  type Line = { readonly by: { readonly node?: string } };
  async function history(console: Pair, to: Addressee): Promise<readonly Line[]> {
    const read = value(await ask(console, to, { type: 'history.read', from: 1, count: 1000 }));
    return (read['lines'] as readonly string[]).map((line) => JSON.parse(line) as Line);
  }
  async function historyLines(console: Pair, to: Addressee): Promise<number> {
    return (await history(console, to)).length;
  }

  /** How many of them are commands of people: that a re-encryption came to its end is added by the node when it did. */
  async function commandLines(console: Pair, to: Addressee): Promise<number> {
    return (await history(console, to)).filter(({ by }) => by.node === undefined).length;
  }

  async function blindness(tenancy: Tenancy): Promise<Answer> {
    const nonce = toB64u(randomBytes(32));
    const answer = value(await asTenant(tenancy, { type: 'keys.blindness', nonce }));
    const payload = await verify(identity().key, String(answer['proof']));
    const proof = JSON.parse(Buffer.from(payload ?? []).toString()) as Answer;
    expect(proof).to.include({ nonce, result: answer['result'], lease: tenancy.lease });
    return proof;
  }

  it('proves that the landlord’s key alone does not open the tenant’s data, nor the tenant’s alone', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    const without = await rent(node, { key: false });
    expect((await blindness(without))['result']).to.equal('no-key');
    value(await asTenant(without, { type: 'keys.make' }));
    const proof = await blindness(without);
    const keys = proof['keys'] as readonly string[];
    const trials = proof['trials'] as readonly { with: readonly string[]; opens: boolean }[];
    expect(keys).to.have.length(2);
    expect(trials).to.have.length(4);
    for (const trial of trials) expect(trial.opens).to.equal(trial.with.length === 2);
  });

  it('are rotated by their level: kept, re-encrypted, and destroyed only by name', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    expect(await codeOf(asLandlord({ type: 'keys.make' }))).to.equal('key-exists');
    const tenancy = await rent(node);
    let { to } = tenancy;
    for (const data of ['keep', 'reencrypt'] as const) {
      const before = await commandLines(tenancy.console, to);
      const rotated = value(
        await ask(tenancy.console, to, { type: 'keys.rotate', level: 1, key: true, data }),
      );
      to = addressee(1, tenancy.lease, (rotated['pair'] as { jwk: PublicJwk }).jwk);
      expect(rotated['destroyed']).to.deep.equal([]);
      expect(await commandLines(tenancy.console, to)).to.equal(before + 1);
      await node.kill();
      await node.start();
      expect(await commandLines(tenancy.console, to)).to.equal(before + 1);
    }
    const destroy = { type: 'keys.rotate', level: 1, key: true, data: 'destroy' } as const;
    expect(await codeOf(ask(tenancy.console, to, destroy))).to.equal('destroys-not-named');
    const rotated = value(await ask(tenancy.console, to, { ...destroy, destroys: [tenancy.lease] }));
    to = addressee(1, tenancy.lease, (rotated['pair'] as { jwk: PublicJwk }).jwk);
    expect(await historyLines(tenancy.console, to)).to.equal(1);
  });

  it('of an upper level are replaced over a tenant’s data only with the tenant’s word, or by destroying it by name', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    const tenancy = await rent(node);
    const keep = { type: 'keys.rotate', level: 0, key: true, data: 'keep' } as const;
    const refused = refusalIn(await asLandlord(keep));
    expect(refused.code).to.equal('needs-owner');
    expect(refused.data).to.deep.equal({ leases: [tenancy.lease] });
    value(await asTenant(tenancy, { type: 'keys.consent', to: landlord.lease, act: 'rotate' }));
    const lines = await historyLines(tenancy.console, tenancy.to);
    const rotated = value(await asLandlord(keep));
    landlord = addressee(0, landlord.lease, (rotated['pair'] as { jwk: PublicJwk }).jwk);
    expect(await historyLines(tenancy.console, tenancy.to)).to.be.greaterThan(lines);
    // The word was for once.
    expect(await codeOf(asLandlord(keep))).to.equal('needs-owner');
    const destroy = { ...keep, data: 'destroy' as const };
    expect(await codeOf(asLandlord({ ...destroy, destroys: [landlord.lease] }))).to.equal(
      'destroys-not-named',
    );
    const gone = value(await asLandlord({ ...destroy, destroys: [landlord.lease, tenancy.lease] }));
    expect(gone['destroyed']).to.have.members([landlord.lease, tenancy.lease]);
    expect(await historyLines(tenancy.console, tenancy.to)).to.equal(1);
  });

  it('of a lower level are replaced only together with its lease and its data', async () => {
    const tenancy = await rent(node);
    const rotate = { type: 'keys.rotate', level: 1, key: true } as const;
    expect(await codeOf(asLandlord({ ...rotate, data: 'keep' }))).to.equal('data-not-yours');
    expect(await codeOf(asLandlord({ ...rotate, data: 'destroy' }))).to.equal('destroys-not-named');
    expect(await codeOf(asTenant(tenancy, { ...rotate, level: 0, data: 'keep' }))).to.equal('not-authorised');
    expect(await codeOf(asLandlord({ ...rotate, level: 2, data: 'destroy' }))).to.equal('not-found');
    const replaced = value(await asLandlord({ ...rotate, data: 'destroy', destroys: [tenancy.lease] }));
    expect(replaced['lease']).to.not.equal(tenancy.lease);
    expect(replaced['ended']).to.deep.equal([tenancy.lease]);
    expect(await codeOf(asTenant(tenancy, { type: 'status' }))).to.equal('wrong-node');
    // The new pair was seen by the landlord, so nothing acts with it before the tenant has taken the lease.
    const seen = addressee(1, String(replaced['lease']), (replaced['pair'] as { jwk: PublicJwk }).jwk);
    expect(await codeOf(ask(tenancy.console, seen, { type: 'keys.make' }))).to.equal('lease-not-taken');
    value(
      await ask(tenancy.console, seen, {
        type: 'lease.take',
        roster: rosterOf(tenancy.console),
        key: true,
      }),
    );
  });

  it('stay locked after a start until the share comes again, and a recorded share opens nothing', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    const tenancy = await rent(node);
    const symmetric = String(tenancy.taken['symmetric']);
    const share = Secret.take(randomBytes(32));
    const sealed = async (what = share): Promise<string> => {
      const { boot, statement } = value(await asTenant(tenancy, { type: 'keys.boot' })) as {
        boot: string;
        statement: string;
      };
      return sealShare(value(await verifyBoot(statement, identity(), boot)), symmetric, what);
    };
    const recorded = await sealed();
    value(await asTenant(tenancy, { type: 'keys.share', share: recorded }));
    const lines = await historyLines(tenancy.console, tenancy.to);
    await node.kill();
    await node.start();
    // It enforces and answers; what needs the data waits.
    expect(value(await asTenant(tenancy, { type: 'status' }))['locked']).to.equal(true);
    expect(value(await asLandlord({ type: 'status' }))['locked']).to.equal(false);
    const history = { type: 'history.read', from: 1, count: 9 } as const;
    expect(await codeOf(asTenant(tenancy, history))).to.equal('shares-outstanding');
    expect(await codeOf(asLandlord({ type: 'keys.rotate', level: 0, key: true, data: 'keep' }))).to.equal(
      'shares-outstanding',
    );
    const nonce = toB64u(randomBytes(32));
    expect(await codeOf(asLandlord({ type: 'keys.blindness', nonce }))).to.equal('shares-outstanding');
    // A command given meanwhile is recorded, and is in the history once the share is there.
    value(
      await asLandlord({
        type: 'lease.extend',
        lease: tenancy.lease,
        until: Math.floor(Date.now() / 1000) + 7200,
      }),
    );
    expect(await codeOf(asTenant(tenancy, { type: 'keys.unlock', share: recorded }))).to.equal('share-wrong');
    const wrong = await sealed(Secret.take(randomBytes(32)));
    expect(await codeOf(asTenant(tenancy, { type: 'keys.unlock', share: wrong }))).to.equal('share-wrong');
    value(await asTenant(tenancy, { type: 'keys.unlock', share: await sealed() }));
    expect(value(await asTenant(tenancy, { type: 'status' }))['locked']).to.equal(false);
    expect(await historyLines(tenancy.console, tenancy.to)).to.equal(lines + 2);
    // Another share only with the one that holds, or together with destroy.
    const other = Secret.take(randomBytes(32));
    const change = async (old?: string): Promise<Command> => ({
      type: 'keys.share',
      share: await sealed(other),
      ...(old === undefined ? {} : { old }),
    });
    expect(await codeOf(asTenant(tenancy, await change()))).to.equal('share-wrong');
    value(await asTenant(tenancy, await change(await sealed())));
  });

  it('of a tenant whose share never comes can still be destroyed', async () => {
    const tenancy = await rent(node);
    const { boot, statement } = value(await asTenant(tenancy, { type: 'keys.boot' })) as {
      boot: string;
      statement: string;
    };
    const key = value(await verifyBoot(statement, identity(), boot));
    const share = await sealShare(key, String(tenancy.taken['symmetric']), Secret.take(randomBytes(32)));
    value(await asTenant(tenancy, { type: 'keys.share', share }));
    await node.kill();
    await node.start();
    const before = await historyLines(node.landlord, landlord);
    expect(value(await asLandlord({ type: 'lease.end', lease: tenancy.lease }))['ended']).to.deep.equal([
      tenancy.lease,
    ]);
    expect(await historyLines(node.landlord, landlord)).to.equal(before + 1);
  });

  it('go to a new holder with the node, and a tenant goes on only by its own word', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    const tenancy = await rent(node);
    const buyer = await makePair(2048);
    const transfer = {
      type: 'node.transfer',
      to: rosterOf(buyer),
      below: 'keep',
      destroys: [landlord.lease],
    } as const;
    expect(await codeOf(asTenant(tenancy, transfer))).to.equal('not-authorised');
    expect(await codeOf(asLandlord(transfer))).to.equal('needs-owner');
    const consent = { type: 'keys.consent', to: landlord.lease, act: 'transfer' } as const;
    expect(await codeOf(asTenant(tenancy, consent))).to.equal('bad-input');
    // A word for another buyer is no word for this one.
    value(await asTenant(tenancy, { ...consent, holder: tenancy.console.public.id }));
    expect(await codeOf(asLandlord(transfer))).to.equal('needs-owner');
    value(await asTenant(tenancy, { ...consent, holder: buyer.public.id }));
    expect(await codeOf(asLandlord({ ...transfer, destroys: [] }))).to.equal('destroys-not-named');
    const lines = await historyLines(tenancy.console, tenancy.to);
    const sold = value(await asLandlord(transfer));
    const to = addressee(0, String(sold['lease']), (sold['pair'] as { jwk: PublicJwk }).jwk);
    expect(await codeOf(asLandlord({ type: 'status' }))).to.equal('node-sold');
    expect(await codeOf(ask(node.landlord, to, { type: 'status' }))).to.equal('unknown-console');
    expect(value(await ask(buyer, to, { type: 'status' }))).to.include({ level: 0, levels: 2 });
    expect(await historyLines(tenancy.console, tenancy.to)).to.equal(lines + 1);
    await node.kill();
    await node.start();
    const ended = { type: 'lease.end', lease: tenancy.lease } as const;
    expect(value(await ask(buyer, to, ended))['ended']).to.deep.equal([tenancy.lease]);
  });

  it('serve a chain of four: owner, hardware operator, software operator, and the owner as user', async () => {
    value(await asLandlord({ type: 'keys.make' }));
    const all = ['hardware', 'engines', 'volumes', 'keys', 'boundaries', 'lease'] as const;
    const until_s = Math.floor(Date.now() / 1000) + 3600;
    const operator = await rent(node, { rights: all, until_s });
    const software = await rent(node, {
      rights: ['engines', 'volumes', 'keys', 'boundaries', 'lease'],
      from: operator,
      until_s,
    });
    const user = await rent(node, { rights: ['engines', 'keys'], from: software, until_s });
    const proof = await blindness(user);
    expect(proof['keys']).to.have.length(4);
    const trials = proof['trials'] as readonly { with: readonly string[]; opens: boolean }[];
    expect(trials.filter((trial) => trial.opens).map((trial) => trial.with.length)).to.deep.equal([4]);
    expect(trials).to.have.length(16);
    expect(await codeOf(asTenant(operator, { type: 'lease.end', lease: landlord.lease }))).to.equal(
      'lease-unknown',
    );
    const ended = value(await asLandlord({ type: 'lease.end', lease: software.lease }));
    expect(ended['ended']).to.deep.equal([software.lease, user.lease]);
    expect(ended['receipts']).to.have.length(2);
    expect(await codeOf(asTenant(user, { type: 'status' }))).to.equal('wrong-node');
    expect(value(await asTenant(operator, { type: 'status' }))).to.include({ status: 'active', levels: 2 });
  });
});
