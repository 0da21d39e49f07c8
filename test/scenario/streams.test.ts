import { randomInt } from 'node:crypto';
import { expect } from 'chai';
import { newId } from '../../protocol/request.js';
import { refusalIn, value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';

/** What a follower took in, over as many connections as it needed. */
class Follower {
  readonly lines: Record<string, unknown>[] = [];
  last = 0;
  ends: string[] = [];

  constructor(readonly node: NodeProcess) {}

  get seqs(): number[] {
    return this.lines.flatMap(({ seq }) => (typeof seq === 'number' ? [seq] : []));
  }

  async follow(): Promise<void> {
    const session = await this.node.session();
    value(
      await session.request({
        command: { type: 'events.follow', after: this.last },
        to: this.node.to,
        onFrame: (plaintext) => {
          for (const text of Buffer.from(plaintext).toString().split('\n')) {
            const line = JSON.parse(text) as Record<string, unknown>;
            this.lines.push(line);
            if (typeof line['seq'] === 'number') this.last = line['seq'];
          }
        },
        onEnd: (end) => this.ends.push(end.ok ? 'whole' : end.refusal.code),
      }),
    );
  }
}

describe('streams of a node that is killed', function () {
  this.timeout(120_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('lose no event and repeat none, whenever the node is killed', async () => {
    const follower = new Follower(node);
    const acknowledged: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      await follower.follow();
      const session = await node.session();
      const names = Array.from({ length: 20 }, (_, at) => `round-${round}.${at}`);
      const killAfter = randomInt(0, names.length);
      let killed: Promise<void> | undefined;
      await Promise.all(
        names.map(async (name, at) => {
          if (at === killAfter) killed = node.kill();
          const done = await session.request({ command: { type: 'node.rename', name }, to: node.to });
          if (done.ok) acknowledged.push(name);
        }),
      );
      await killed;
      session.close('done');
      await until(() => follower.ends.length === round + 1);
      await node.start();
    }
    await follower.follow();
    const marker = `marker-${newId()
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '')}x`;
    const session = await node.session();
    value(await session.request({ command: { type: 'node.rename', name: marker }, to: node.to }));
    await until(() => follower.lines.some(({ name }) => name === marker));
    session.close('done');
    expect(new Set(follower.ends)).to.deep.equal(new Set(['stream-cut']));
    expect(follower.seqs).to.deep.equal(follower.seqs.map((_, at) => at + 1));
    expect(follower.lines.some(({ gap }) => gap !== undefined)).to.equal(false);
    // What was acknowledged to whoever commanded it, the follower heard of.
    const heard = new Set(follower.lines.map(({ name }) => name));
    expect(acknowledged.filter((name) => !heard.has(name))).to.deep.equal([]);
  });

  it('go on for others while one does not read, and for itself when it reads again', async () => {
    const slow = await node.session();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const slowSeqs: number[] = [];
    const quickSeqs: number[] = [];
    const take = (seqs: number[]) => (plaintext: Uint8Array) => {
      for (const text of Buffer.from(plaintext).toString().split('\n')) {
        const { seq } = JSON.parse(text) as { seq?: number };
        if (seq !== undefined) seqs.push(seq);
      }
    };
    const quick = await node.session();
    const follow = { command: { type: 'events.follow' as const, after: 0 }, to: node.to };
    value(await slow.request({ ...follow, onFrame: async (text) => (await held, take(slowSeqs)(text)) }));
    value(await quick.request({ ...follow, onFrame: take(quickSeqs) }));
    const session = await node.session();
    for (let at = 0; at < 30; at += 1)
      value(await session.request({ command: { type: 'node.rename', name: `slow-${at}` }, to: node.to }));
    const last = value(await session.request({ command: { type: 'status' }, to: node.to })).result;
    const next = Number(last?.['nextEvent']);
    await until(() => quickSeqs.at(-1) === next - 1);
    expect(slowSeqs).to.deep.equal([]);
    release();
    await until(() => slowSeqs.at(-1) === next - 1);
    expect(slowSeqs).to.deep.equal(quickSeqs);
    for (const one of [slow, quick, session]) one.close('done');
  });

  it('are bounded in number on one connection', async () => {
    const session = await node.session();
    const follow = { command: { type: 'events.follow' as const }, to: node.to };
    for (let at = 0; at < 64; at += 1) value(await session.request(follow));
    expect(refusalIn(await session.request(follow)).code).to.equal('too-many');
    session.close('done');
  });
});
