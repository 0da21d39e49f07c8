import { expect } from 'chai';
import { decide } from '../../../../bmonitor/node/decide.js';
import type { NodeState } from '../../../../bmonitor/node/state.js';
import { limits } from '../../../../protocol/limits.js';
import { newId } from '../../../../protocol/request.js';
import { member } from '../../../fakes/machine/principals.js';
import { asked, consoleId, give, leaseAt, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

describe('what a node keeps in memory', () => {
  it('lets go of the events of a lease that ended', async () => {
    const running = await (await world('chain')).startWell();
    const { core, events } = running;
    expect(events.tracked).to.equal(3);
    const lease = leaseAt(core.state, 1);
    value(await give(running, asked('landlord.administrator', { type: 'lease.end', lease })));
    expect(events.tracked).to.equal(1);
    expect(await events.read(lease, 1)).to.deep.equal({ from: 1, lines: [] });
    expect(events.tracked).to.equal(1);
  });

  it('lists a console once, however often it is enrolled again', async () => {
    const running = await (await world('tenant')).startWell();
    const before = running.core.state.levels[1]?.everEnrolled.length ?? 0;
    const console = member('tenant', 'operator', 'tenant.again');
    for (let at = 0; at < 3; at += 1) {
      value(await give(running, asked('tenant.administrator', { type: 'consoles.add', console })));
      const key = consoleId('tenant.again');
      value(await give(running, asked('tenant.administrator', { type: 'consoles.remove', key })));
    }
    expect(running.core.state.levels[1]?.everEnrolled).to.have.lengthOf(before + 1);
  });

  it('does not enrol more different consoles in a lease than it lists', async () => {
    const { core } = await (await world('tenant')).startWell();
    const everEnrolled = Array.from({ length: limits.consoles_ever_enrolled_max }, (_, at) => `key-${at}`);
    const levels = core.state.levels.map((level) => ({ ...level, everEnrolled }));
    const state = { ...core.state, levels: levels as unknown as NodeState['levels'] };
    const request = {
      level: 1,
      lease: leaseAt(state, 1),
      console: consoleId('tenant.administrator'),
      jti: newId(),
      statement: 's',
      provenNew: true,
      command: { type: 'consoles.add' as const, console: member('tenant', 'operator', 'tenant.new') },
    };
    const given = { now_s: core.now_s(), newId, locked: new Set<string>(), shareOpens: () => false };
    expect(refusalIn(decide(state, request, given)).code).to.equal('too-many-consoles');
  });
});
