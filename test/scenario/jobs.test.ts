import { expect } from 'chai';
import type { Asked, NodeSession } from '../../console/nodes/session.js';
import { newId } from '../../protocol/request.js';
import { refusalIn, value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';

/** So many lines that a walk over them takes several steps, each of them durable. */
const lines = 1100;
const atOnce = 16;

type Cancel = Asked & { readonly command: { readonly type: 'job.cancel'; readonly job: string } };
type Line = Readonly<Record<string, unknown>>;

/** Takes in the events of the landlord, over as many connections as it needs, each once. */
class Events {
  readonly lines: Line[] = [];
  #last = 0;
  #waiting: (() => void)[] = [];

  constructor(readonly node: NodeProcess) {}

  of(job: string): readonly Line[] {
    return this.lines.filter((line) => line['job'] === job);
  }

  async follow(session: NodeSession): Promise<void> {
    const onFrame = (plaintext: Uint8Array): void => {
      for (const text of Buffer.from(plaintext).toString().split('\n')) this.#take(JSON.parse(text) as Line);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    value(
      await session.request({
        command: { type: 'events.follow', after: this.#last },
        to: this.node.to,
        onFrame,
      }),
    );
  }

  #take(line: Line): void {
    if (typeof line['seq'] !== 'number') return;
    this.#last = line['seq'];
    this.lines.push(line);
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

describe('a long command on a real node', function () {
  this.timeout(180_000);
  let node: NodeProcess;
  let events: Events;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
    const session = await node.session();
    let at = 0;
    const one = async (): Promise<void> => {
      for (; at < lines;) {
        at += 1;
        value(await session.request({ command: { type: 'node.rename', name: `name-${at}` }, to: node.to }));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    session.close('done');
    events = new Events(node);
  });
  after(() => node.remove());

  const verify = { type: 'history.verify' as const };
  const jobs = async (session: NodeSession): Promise<readonly Line[]> =>
    value(await session.request({ command: { type: 'jobs.read' }, to: node.to })).result?.[
      'jobs'
    ] as readonly Line[];

  it('reports its progress over a stream, survives a kill in its middle, and gives one answer to its id', async () => {
    const jti = newId();
    const session = await node.session();
    await events.follow(session);
    const ask = { command: verify, to: node.to, jti };
    const first = value(await session.request(ask));
    const job = String(first.result?.['job']);
    while (events.of(job).length === 0) await events.next();
    await node.kill();
    const seenBefore = events.of(job).length;
    await node.start();
    const later = await node.session();
    const again = value(await later.request(ask));
    expect(again).to.deep.include({ again: true, result: first.result });
    await events.follow(later);
    await until(() => events.of(job).at(-1)?.['state'] === 'done');
    const progress = events.of(job).map((line) => Number(line['done']));
    expect(seenBefore, 'it was killed in its middle').to.be.lessThan(progress.length);
    // Every step once and in order, also the one during which it was killed.
    expect(progress).to.deep.equal([...new Set(progress)].sort((a, b) => a - b));
    expect(events.of(job).at(-1)?.['done']).to.equal(events.of(job).at(-1)?.['total']);
    const [ended] = (await jobs(later)).filter((one) => one['id'] === job);
    expect(ended).to.include({ state: 'done', done: progress.at(-1), total: progress.at(-1) });
    expect(value(await later.request(ask))).to.deep.include({ again: true, result: first.result });
    // Before the kill and after it, the log tells what became of the command by its id.
    const life = node.log.filter((line) => line['id'] === jti).map((line) => line['event']);
    const whole = ['command.taken', 'command.durable', 'job.running', 'command.done', 'job.done'];
    expect(life).to.include.members(whole);
    session.close('done');
    later.close('done');
  });

  it('is cancelled, says so over the stream, and stays cancelled after a kill', async () => {
    const session = await node.session();
    await events.follow(session);
    // It may come to its end before the word arrives: then the next one is tried.
    const tries = async (): Promise<{ job: string; cancel: Cancel; result: unknown }> => {
      const job = String(value(await session.request({ command: verify, to: node.to })).result?.['job']);
      const cancel: Cancel = { command: { type: 'job.cancel', job }, to: node.to, jti: newId() };
      const answer = await session.request(cancel);
      if (answer.ok) return { job, cancel, result: answer.value.result };
      expect(answer.refusal.code).to.equal('job-ended');
      return tries();
    };
    const { job, cancel, result } = await tries();
    await until(() => events.of(job).some((line) => line['kind'] === 'job.cancelled'));
    const [before] = (await jobs(session)).filter((one) => one['id'] === job);
    expect(before).to.include({ state: 'cancelled' });
    expect(Number(before?.['done'])).to.be.lessThan(Number(before?.['total']));
    await until(() => node.log.some((line) => line['event'] === 'job.cancelled' && line['job'] === job));
    await node.kill();
    await node.start();
    const later = await node.session();
    expect((await jobs(later)).filter((one) => one['id'] === job)).to.deep.equal([before]);
    expect(value(await later.request(cancel))).to.deep.include({ again: true, result });
    expect(refusalIn(await later.request({ ...cancel, jti: newId() })).code).to.equal('job-ended');
    session.close('done');
    later.close('done');
  });
});
