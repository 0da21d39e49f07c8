import { expect } from 'chai';
import { NodeTime } from '../../../../bmonitor/node/time.js';
import { limits } from '../../../../protocol/limits.js';
import type { Receipt } from '../../../../protocol/receipt.js';
import { verifyReceipt } from '../../../../protocol/receipt.js';
import { FakeClock, type Machine, type Running } from '../../../fakes/machine/machine.js';
import { asked, give, leaseAt, nowOf, world } from '../../../fakes/machine/world.js';
import { value } from '../../../fakes/results.js';

const day = 86_400;
const year = 365 * day;

async function restarted(running: Running, machine: Machine): Promise<Running> {
  running.power.cut('kill');
  return machine.startWell();
}

async function pass(running: Running, machine: Machine, seconds: number): Promise<void> {
  machine.clock.pass(seconds);
  await running.core.passTime();
}

/** The last receipt of the landlord's. */
async function lastReceipt({ core, journal }: Running): Promise<Receipt> {
  const [{ lease, receipts }] = core.state.levels;
  const [jws = ''] = await journal.receipts(lease, receipts, receipts);
  return value(await verifyReceipt(jws, core.identity.public));
}

describe('a wall clock that was set ahead before a start', () => {
  it('is not believed, and darkens and destroys nothing', async () => {
    const machine = await world('tenant');
    let running = await machine.startWell();
    const before = running.core.now_s();
    machine.clock.set(year);
    running = await restarted(running, machine);
    await running.core.passTime();
    expect(running.core.state.levels.map(({ status }) => status)).to.deep.equal(['active', 'active']);
    expect(running.core.now_s() - before).to.be.at.most(2 * limits.time_floor_s_max);
    expect(running.core.clockAhead_s()).to.be.greaterThan(year - day);
  });

  it('wins at most a minute or two at each of many starts', async () => {
    const machine = await world('tenant');
    let running = await machine.startWell();
    const before = running.core.now_s();
    machine.clock.set(year);
    const starts = 5;
    for (let at = 0; at < starts; at += 1) {
      running = await restarted(running, machine);
      await running.core.passTime();
    }
    expect(running.core.now_s() - before).to.be.at.most(2 * limits.time_floor_s_max * starts);
  });

  it('is believed where a console of the landlord says the same, which darkens, and destroys only by the machine’s own clock', async () => {
    const machine = await world('tenant');
    let running = await machine.startWell();
    machine.clock.set(10 * day);
    running = await restarted(running, machine);
    await running.core.confirmTime(nowOf(machine));
    expect(running.core.now_s()).to.be.within(nowOf(machine) - 60, nowOf(machine));
    expect(running.core.clockAhead_s()).to.equal(0);
    await running.core.passTime();
    const { levels } = running.core.state;
    expect(levels.map(({ status }) => status)).to.deep.equal(['active', 'dark']);
    // It lasts: what was confirmed is part of what the node remembers.
    running = await restarted(running, machine);
    expect(running.core.now_s()).to.be.at.least(nowOf(machine) - 60);
    await pass(running, machine, 3500);
    expect(running.core.state.levels).to.have.lengthOf(2);
    await pass(running, machine, 200);
    expect(running.core.state.levels).to.have.lengthOf(1);
    expect((await lastReceipt(running)).reason).to.equal('clock-forced');
  });

  it('is set right by the landlord, and the lease that went dark comes back', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    machine.clock.set(10 * day);
    await running.core.confirmTime(nowOf(machine));
    await running.core.passTime();
    const extend = {
      type: 'lease.extend' as const,
      lease: leaseAt(running.core.state, 1),
      until: nowOf(machine) + day,
    };
    value(await give(running, asked('landlord.administrator', extend)));
    expect(running.core.state.levels[1]?.status).to.equal('active');
    await pass(running, machine, day + 60);
    await pass(running, machine, 3600);
    expect((await lastReceipt(running)).reason).to.equal('expired');
  });

  it('is not believed further than the console says, nor when the console is ahead and it is not', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const before = running.core.now_s();
    await running.core.confirmTime(before + year);
    expect(running.core.now_s()).to.be.at.most(before + 60);
    machine.clock.set(year);
    await running.core.confirmTime(before + 3600);
    expect(running.core.now_s()).to.be.within(before + 3600, before + 3600 + 180);
  });
});

describe('a receipt of a lease that ended by itself', () => {
  it('says that it expired where the machine’s own clock agrees, however the wall clock stands', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    machine.clock.set(year);
    await pass(running, machine, 10 * 3600 + 60);
    await pass(running, machine, 3600);
    expect(running.core.state.levels).to.have.lengthOf(1);
    expect((await lastReceipt(running)).reason).to.equal('expired');
  });

  it('is made at once when the machine slept past both ends', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    await pass(running, machine, 12 * 3600);
    expect(running.core.state.levels).to.have.lengthOf(1);
    expect((await lastReceipt(running)).reason).to.equal('expired');
  });
});

describe('the floor of the time', () => {
  it('is never fallen below, however the wall clock is set and the node started', () => {
    const clock = new FakeClock();
    let floor = Math.floor(clock.wall() / 1000);
    for (const step of [100_000, -5_000_000, 30, -30, 2_000_000, -100_000]) {
      clock.set(step);
      const time = new NodeTime(clock, floor);
      expect(time.now_s()).to.be.at.least(floor);
      clock.pass(10);
      expect(time.now_s()).to.be.at.least(floor);
      floor = time.now_s();
    }
  });
});
