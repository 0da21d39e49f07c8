import { expect } from 'chai';
import { RealConsole } from '../fakes/console.js';
import { FakeNode } from '../fakes/node.js';
import { RealNode } from '../fakes/real-node.js';
import { SlowWire } from '../fakes/slow-wire.js';
import { until } from '../fakes/until.js';

interface View {
  readonly name: string;
  readonly state: string;
  readonly trouble: { readonly code: string; readonly detail: string } | null;
  readonly questions: Readonly<Record<'right' | 'late' | 'wrong' | 'none', number>>;
}

describe('a console that asks its nodes how they are, all real processes', function () {
  this.timeout(180_000);
  const desk = new RealConsole('console-cluster');
  let stopped: RealNode;
  let far: RealNode;
  let wire: SlowWire;
  let liar: FakeNode;

  before(async () => {
    // The rhythm is quick, and patience is long enough for a machine that does much else.
    const times = ['--ask-every', '200', '--answer-within', '1500', '--late', '6000', '--unknown', '9000'];
    const key = desk.init(...times);
    await desk.run();
    const card = `${desk.dir}/console.pub.json`;
    [stopped, far] = await Promise.all([RealNode.make('stopped', card), RealNode.make('far', card)]);
    liar = await FakeNode.make();
    liar.consoles.set(key.id, key);
    for (const node of [stopped, far]) await node.run();
    const port = Number(new URL(far.card.ways[0]?.url ?? '').port);
    wire = new SlowWire(port);
    const through = await wire.listen();
    const ways = far.card.ways.map((way) => ({ ...way, url: `wss://127.0.0.1:${through}` }));
    const farCard = desk.file('far.json', JSON.stringify({ ...far.card, ways }));
    const liarCard = desk.file('liar.json', JSON.stringify(liar.card('liar', await liar.listen())));
    for (const file of [stopped.cardFile, farCard, liarCard]) await must('nodes', 'add', file);
    for (const name of ['stopped', 'far', 'liar']) await shown(name, 'good');
  });
  after(async () => {
    await desk.remove();
    stopped.signal('SIGCONT');
    for (const node of [stopped, far]) await node.remove();
    await wire.close();
    await liar.stop();
  });

  async function must(...args: string[]): Promise<string> {
    const { status, out, err } = await desk.cliLater(...args);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`);
    return out;
  }
  const view = async (name: string): Promise<View> =>
    JSON.parse(await must('nodes', 'show', name, '--json')) as View;
  async function shown(name: string, state: string): Promise<View> {
    let now: View | undefined;
    await until(async () => (now = await view(name)).state === state, 60_000);
    return now ?? view(name);
  }

  it('shows a node that is stopped as silent and then unknown, never as wrong, and good when it goes on', async () => {
    stopped.signal('SIGSTOP');
    await shown('stopped', 'silent');
    await shown('stopped', 'unknown');
    stopped.signal('SIGCONT');
    const after = await shown('stopped', 'good');
    expect(after.questions.wrong).to.equal(0);
    expect((await view('far')).state).to.equal('good');
  });

  it('shows a node behind a slow wire as late, though its heart beats, and good when the wire is quick again', async () => {
    wire.delay_ms = 1000;
    const late = await shown('far', 'late');
    await until(async () => (await view('far')).questions.late > late.questions.late);
    expect(await must('nodes', 'list')).to.match(/^far +late /m);
    wire.delay_ms = 0;
    const after = await shown('far', 'good');
    expect(after.questions).to.include({ wrong: 0, none: 0 });
  });

  it('shows a node that answers what cannot be as wrong, and says what it holds against it', async () => {
    liar.answers = (right) => ({ ...right, head: { ...right.head, seq: 3 } });
    const wrong = await shown('liar', 'wrong');
    expect(wrong.trouble).to.deep.equal({
      code: 'wrong-answer',
      detail: 'its history went back from entry 7 to 3',
    });
    expect(await must('nodes', 'list')).to.match(/^liar +wrong .*wrong-answer/m);
    liar.answers = (right) => right;
    await shown('liar', 'good');
  });
});
