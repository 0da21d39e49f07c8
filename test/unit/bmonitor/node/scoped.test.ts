import { expect } from 'chai';
import { stillEnrolled } from '../../../../bmonitor/node/judge.js';
import type { Command } from '../../../../protocol/commands.js';
import { commandTypes, parseCommand } from '../../../../protocol/commands.js';
import { authorize } from '../../../../bmonitor/authority/authorize.js';
import { speakerOf } from '../../../../bmonitor/node/decide.js';
import type { Running } from '../../../fakes/machine/machine.js';
import { member } from '../../../fakes/machine/principals.js';
import { asked, consoleId, give, leaseAt, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

const scoped = { ...member('tenant', 'developer', 'tenant.scoped'), nodes: ['eu', 'test'] };
const admin = 'tenant.administrator';

async function withScoped(): Promise<Running> {
  const running = await (await world('tenant')).startWell();
  value(await give(running, asked(admin, { type: 'consoles.add', console: scoped })));
  return running;
}

const label = (running: Running, by: string, ...labels: string[]) =>
  give(running, asked(by, { type: 'node.label', labels }));

const start: Command = { type: 'engine.start', name: 'web' };

async function said(running: Running, command: Command = start): Promise<string> {
  const answer = await give(running, asked('tenant.scoped', command));
  return answer.ok ? 'done' : answer.refusal.code;
}

describe('a key that is limited to nodes with labels', () => {
  it('speaks on no node that its level has not given all of these labels', async () => {
    const running = await withScoped();
    expect(await said(running)).to.equal('out-of-scope');
    value(await label(running, admin, 'test'));
    expect(await said(running)).to.equal('out-of-scope');
    value(await label(running, admin, 'test', 'eu', 'more'));
    // The engine is not there: the command was let through to where that is known.
    expect(await said(running)).to.equal('engine-unknown');
  });

  it('stays so when a level above replaces the pair: it does not take the lease for who enrolled it', async () => {
    const running = await (await world('tenant')).startWell();
    const limited = { ...member('tenant', 'administrator', 'tenant.scoped'), nodes: ['test'] };
    value(await give(running, asked(admin, { type: 'consoles.add', console: limited })));
    const destroys = [leaseAt(running.core.state, 1)];
    const replaced: Command = { type: 'keys.rotate', level: 1, key: true, data: 'destroy', destroys };
    value(await give(running, asked('landlord.administrator', replaced)));
    const taking: Command = {
      type: 'lease.take',
      roster: [member('tenant', 'administrator', 'tenant.scoped')],
      key: true,
    };
    expect(await said(running, taking)).to.equal('out-of-scope');
  });

  it('may neither command nor look there, whatever the command is', async () => {
    const running = await withScoped();
    const who = value(speakerOf(running.core.state, { level: 1, console: consoleId('tenant.scoped') }));
    for (const command of commandTypes) {
      const may = authorize({ ...who, role: 'administrator' }, command, { provenNew: true, loosens: false });
      expect(refusalIn(may).code, command).to.equal('out-of-scope');
    }
  });

  it('goes by the labels of its own level, not by those that another level gave', async () => {
    const running = await withScoped();
    value(await label(running, 'landlord.administrator', 'test', 'eu'));
    expect(await said(running)).to.equal('out-of-scope');
  });

  it('is out again at once when a label is taken away, and hears nothing more of what it follows', async () => {
    const running = await withScoped();
    const claims = { level: 1, lease: leaseAt(running.core.state, 1), iss: consoleId('tenant.scoped') };
    value(await label(running, admin, 'test', 'eu'));
    value(stillEnrolled(claims, running.core.state));
    value(await label(running, admin, 'eu'));
    expect(await said(running)).to.equal('out-of-scope');
    expect(refusalIn(stillEnrolled(claims, running.core.state)).code).to.equal('out-of-scope');
  });

  it('is no administrator that a level can be left with', async () => {
    const running = await withScoped();
    const limited = { ...member('tenant', 'administrator', 'tenant.limited'), nodes: ['test'] };
    value(await give(running, asked(admin, { type: 'consoles.add', console: limited })));
    value(await label(running, admin, 'test'));
    const removal = asked(admin, { type: 'consoles.remove', key: consoleId(admin) });
    expect(refusalIn(await give(running, removal)).code).to.equal('last-console');
    const granted = await (await world('granted')).startWell();
    const taking = asked(admin, { type: 'lease.take', roster: [limited], key: true });
    expect(refusalIn(await give(granted, taking)).code).to.equal('last-console');
  });

  it('keeps its limit across a start of the node, and the labels too', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    value(await give(running, asked(admin, { type: 'consoles.add', console: scoped })));
    value(await label(running, admin, 'test', 'eu'));
    await running.core.close();
    const again = await machine.startWell();
    expect(await said(again)).to.equal('engine-unknown');
    value(await label(again, admin));
    expect(await said(again)).to.equal('out-of-scope');
  });

  it('is refused with no label, with rubbish for one, and with too many', () => {
    const add = (nodes: unknown): string => {
      const { nodes: _, ...plain } = scoped;
      const parsed = parseCommand({ type: 'consoles.add', console: { ...plain, nodes } }, 'command');
      return parsed.ok ? 'taken' : parsed.refusal.code;
    };
    expect(add(['test'])).to.equal('taken');
    for (const nodes of [
      [],
      ['Test'],
      ['-'],
      [''],
      ['a b'],
      'test',
      [1],
      Array.from({ length: 17 }, (_, at) => `l${at}`),
    ])
      expect(add(nodes), JSON.stringify(nodes)).to.equal('bad-input');
  });
});
