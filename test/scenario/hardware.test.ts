import { expect } from 'chai';
import type { NodeSession } from '../../console/nodes/session.js';
import type { Job } from '../../bmonitor/node/state.js';
import { powerExits } from '../../bmonitor/cli/output.js';
import { refusalIn, value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';

async function ask(
  node: NodeProcess,
  session: NodeSession,
  command: object,
): Promise<Record<string, unknown>> {
  const reply = value(await session.request({ command: command as { type: 'status' }, to: node.to }));
  return { ...reply.result };
}

async function jobs(node: NodeProcess, session: NodeSession): Promise<readonly Job[]> {
  return (await ask(node, session, { type: 'jobs.read' }))['jobs'] as readonly Job[];
}

describe('a node that is switched by command (its process stands for the machine)', function () {
  this.timeout(120_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(async () => node.remove());

  it('tells every follower what happens and why before it happens, ends so that it is started again, and remembers that it was done', async () => {
    const session = await node.session();
    const told: string[] = [];
    value(
      await session.request({
        command: { type: 'events.follow' },
        to: node.to,
        onFrame: (frame) => void told.push(Buffer.from(frame).toString()),
      }),
    );
    const ordered = await ask(node, session, { type: 'hardware.reboot', reason: 'a new kernel' });
    await until(() => told.some((line) => line.includes('"hardware.announced"')));
    expect(told.join('\n')).to.contain('"act":"reboot","reason":"a new kernel"');
    const status = await ask(node, session, { type: 'status' });
    expect(status['power']).to.include({ actsOn: 'process', act: 'reboot', job: ordered['job'] });
    expect(await node.ended()).to.equal(powerExits.reboot);
    await node.start();
    const again = await node.session();
    await until(async () => (await jobs(node, again))[0]?.state === 'done');
    expect((await jobs(node, again))[0]).to.include({ id: ordered['job'], kind: 'hardware.reboot' });
    again.close('done');
  });

  it('goes on with it after it was killed while engines had their time to stop', async () => {
    const session = await node.session();
    await ask(node, session, { type: 'hardware.power-off', drain: 3 });
    await node.kill();
    await node.start();
    expect(await node.ended()).to.equal(powerExits['power-off']);
    await node.start();
    const again = await node.session();
    await until(async () => (await jobs(node, again)).at(-1)?.state === 'done');
    again.close('done');
  });

  it('can be called off as long as engines still have time', async () => {
    const session = await node.session();
    const { job } = await ask(node, session, { type: 'hardware.reboot', drain: 3600 });
    const second = await session.request({ command: { type: 'hardware.power-off' }, to: node.to });
    expect(refusalIn(second).code).to.equal('too-many-jobs');
    await ask(node, session, { type: 'job.cancel', job });
    expect((await jobs(node, session)).at(-1)).to.include({ id: job, state: 'cancelled' });
    expect((await ask(node, session, { type: 'status' }))['power']).to.deep.equal({ actsOn: 'process' });
    session.close('done');
  });

  it('says that a process cannot sleep, and that there is no light, instead of claiming it', async () => {
    const session = await node.session();
    for (const command of [{ type: 'hardware.suspend' }, { type: 'hardware.identify', on: true }]) {
      const { job } = await ask(node, session, command);
      await until(async () => (await jobs(node, session)).find(({ id }) => id === job)?.state !== 'running');
      const ended = (await jobs(node, session)).find(({ id }) => id === job);
      expect(ended?.state).to.equal('failed');
      expect(ended?.note).to.match(/^(power-failed|light-not-there): /);
    }
    session.close('done');
  });
});
