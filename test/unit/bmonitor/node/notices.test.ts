import { expect } from 'chai';
import { Notices } from '../../../../bmonitor/node/notices.js';
import type { NodeState } from '../../../../bmonitor/node/state.js';
import { makePair, type Pair } from '../../../../crypto/rsa.js';
import { signerOf, type Signer } from '../../../../crypto/signer.js';
import type { Message, MessageChannel } from '../../../../protocol/channel.js';
import { limits } from '../../../../protocol/limits.js';
import { silentLog } from '../../../../protocol/log.js';
import { openNotice, type Notice } from '../../../../protocol/notice.js';
import { newId } from '../../../../protocol/request.js';
import { parseWire } from '../../../../protocol/wire.js';
import { value } from '../../../fakes/results.js';

const lease = newId();
const noEntry = 'A'.repeat(43);

describe('notices of a node', () => {
  let identity: Pair;
  let console: Pair;
  before(async () => {
    identity = await makePair(2048);
    console = await makePair(2048);
  });

  function makeNode(): {
    notices: Notices;
    said: Message[];
    channel: MessageChannel;
    signatures: () => number;
    pass(ms: number): void;
    set(roster: readonly string[], seq?: number): void;
    heard(): Promise<readonly Notice[]>;
  } {
    let now_ms = 0;
    let signed = 0;
    let state: unknown;
    const said: Message[] = [];
    const set = (roster: readonly string[], seq = 1): void => {
      const head = { seq, digest: seq === 1 ? noEntry : `${'B'.repeat(42)}A` };
      state = { levels: [{ lease, roster: roster.map((id) => ({ id })), history: { head, first: 1 } }] };
    };
    set([console.public.id]);
    const signer: Signer = {
      public: identity.public,
      signature: (message) => {
        signed += 1;
        return signerOf(identity).signature(message);
      },
    };
    const channel: MessageChannel = {
      source: 'test',
      send: (message) => {
        said.push(message);
        return Promise.resolve(true);
      },
      onMessage: () => {},
      onClose: () => {},
      close: () => {},
    };
    const notices = new Notices({
      core: {
        get state() {
          return state as NodeState;
        },
        identity: signer,
      },
      time: { now_s: () => 1_800_000_000, sinceBoot_ms: () => now_ms },
      keyStore: 'tpm',
      boot: newId(),
      log: silentLog,
    });
    notices.proved(channel, by());
    return {
      notices,
      said,
      channel,
      signatures: () => signed,
      pass: (ms) => (now_ms += ms),
      set,
      heard: () =>
        Promise.all(
          said.map(async (message) => {
            const wire = value(parseWire(String(message)));
            if (wire.kind !== 'notice') throw new Error('not a notice');
            return value(await openNotice(console, identity.public, wire.envelope));
          }),
        ),
    };
  }
  const by = (): Parameters<Notices['proved']>[1] => ({
    console: console.public.id,
    key: console.public,
    on: noEntry,
    lease,
    level: 0,
  });
  const undone = { to: [0], kind: 'filters.undone', fields: { version: 2 } };

  it('cost one signature for all that happened and all who hear it, and no other before a rest', async () => {
    const node = makeNode();
    const second = { ...node.channel };
    node.notices.proved(second, by());
    for (let at = 0; at < 3; at += 1) node.notices.told(lease, undone, at);
    await node.notices.tick(false);
    expect([node.signatures(), node.said.length]).to.deep.equal([1, 2]);
    expect((await node.heard()).map(({ happened }) => happened.length)).to.deep.equal([3, 3]);
    node.notices.told(lease, undone, 9);
    await node.notices.tick(false);
    expect(node.signatures()).to.equal(1);
    node.pass(limits.notices_rest_ms);
    await node.notices.tick(false);
    expect(node.signatures()).to.equal(2);
  });

  it('give way to commands, but not for ever', async () => {
    const node = makeNode();
    node.notices.told(lease, undone, 1);
    await node.notices.tick(true);
    expect(node.signatures()).to.equal(0);
    node.pass(limits.notices_patience_ms);
    await node.notices.tick(true);
    expect(node.signatures()).to.equal(1);
  });

  it('tell where the history stands in a slow rhythm, and only when it went on', async () => {
    const node = makeNode();
    node.pass(limits.notices_checkpoint_ms);
    await node.notices.tick(false);
    expect(node.signatures()).to.equal(0);
    node.set([console.public.id], 2);
    node.pass(limits.notices_checkpoint_ms);
    await node.notices.tick(false);
    await node.notices.tick(false);
    const [checkpoint, ...more] = await node.heard();
    expect(checkpoint).to.deep.include({ happened: [], head: { seq: 2, digest: `${'B'.repeat(42)}A` } });
    expect(more).to.deep.equal([]);
  });

  it('go to nobody who was taken out of the roster, and wait for nobody without bound', async () => {
    const node = makeNode();
    for (let at = 0; at < limits.notice_lines_max + 5; at += 1) node.notices.told(lease, undone, at);
    await node.notices.tick(false);
    expect((await node.heard())[0]).to.deep.include({ left: 5 });
    node.notices.told(lease, undone, 1);
    node.set([]);
    node.notices.told(lease, { to: [0], kind: 'console.removed', fields: {} }, 2);
    node.pass(limits.notices_rest_ms);
    await node.notices.tick(false);
    expect([node.said.length, node.notices.listeners]).to.deep.equal([1, 0]);
  });
});
