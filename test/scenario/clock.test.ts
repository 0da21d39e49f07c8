import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ProcessClock } from '../facility/bed/clock.js';
import { craft } from '../fakes/craft.js';
import { until } from '../fakes/until.js';
import { cli, NodeProcess } from './node-process.js';
import { RawSocket } from './raw-socket.js';
import { rent, type Tenancy } from './tenancy.js';

const day_s = 86_400;

describe('a real node whose wall clock was set a day ahead before its start', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  let clock: ProcessClock;
  let tenancy: Tenancy;
  before(async () => {
    node = await NodeProcess.make();
    clock = await ProcessClock.make(node.folder, 'node');
    await node.start(clock.env);
    tenancy = await rent(node, { destroyAfter: 3600 });
    await node.kill();
    await clock.jump(day_s * 1000);
    await node.start(clock.env);
  });
  after(() => node.remove());

  /** What a console that believes in this time is told of the node. */
  const told = async (from: 'landlord' | 'tenant', ahead_s: number): Promise<Record<string, unknown>> => {
    const raw = await RawSocket.open(node);
    const iat = Math.floor(Date.now() / 1000) + ahead_s;
    const [pair, to] = from === 'landlord' ? [node.landlord, node.to] : [tenancy.console, tenancy.to];
    const claims = { iat, exp: iat + 60 };
    const command = { type: from === 'landlord' ? 'levels.read' : 'status' };
    const answer = await raw.answer(await craft(pair, to, command, await raw.hello(), { claims }));
    raw.close();
    if ('hint' in answer) throw new Error(answer.hint.code);
    return { ...answer.reply.result, time: answer.reply.time, error: answer.reply.error };
  };
  const statuses = ({ levels }: Record<string, unknown>): readonly unknown[] =>
    (levels as readonly { status: string }[]).map(({ status }) => status);

  it('does not believe it: the lease goes on, and it says that the clock is ahead', async () => {
    const answer = await told('landlord', 0);
    expect(statuses(answer)).to.deep.equal(['active', 'active']);
    expect(answer['time']).to.be.lessThan(Date.now() / 1000 + 600);
    const { stdout } = await promisify(execFile)(process.execPath, [
      cli,
      'status',
      '--dir',
      node.dir,
      '--json',
    ]);
    expect((JSON.parse(stdout) as { clockAhead: number }).clockAhead).to.be.greaterThan(day_s / 2);
  });

  it('does not believe it either when the tenant’s console says the same', async () => {
    const answer = await told('tenant', day_s);
    expect(answer).to.include({ status: 'active' });
    expect(answer['clockAhead']).to.be.greaterThan(day_s / 2);
  });

  it('believes it when the landlord’s console says the same: the lease goes dark, and its keys stay', async () => {
    await told('landlord', day_s);
    await until(async () => statuses(await told('landlord', day_s))[1] === 'dark');
    const answer = await told('landlord', day_s);
    expect(statuses(answer)).to.deep.equal(['active', 'dark']);
    expect(answer['time']).to.be.greaterThan(Date.now() / 1000 + day_s - 600);
    expect(node.log.map(({ event }) => event)).to.include('clock.stepped');
  });

  it('keeps to what it believed after the clock was set right and it was killed', async () => {
    await node.kill();
    await clock.jump(-day_s * 1000);
    await node.start(clock.env);
    const answer = await told('landlord', day_s);
    expect(answer['time']).to.be.greaterThan(Date.now() / 1000 + day_s - 600);
    expect(statuses(answer)).to.deep.equal(['active', 'dark']);
  });
});
