import { Secret } from '../../../../crypto/secret.js';
import { expect } from 'chai';
import { authority } from '../../../../bmonitor/authority/table.js';
import { decide } from '../../../../bmonitor/node/decide.js';
import { decideTime } from '../../../../bmonitor/node/decide/time.js';
import { NodeTime } from '../../../../bmonitor/node/time.js';
import { commandTypes } from '../../../../protocol/commands.js';
import { limits } from '../../../../protocol/limits.js';
import { FakeClock, settled } from '../../../fakes/machine/machine.js';
import { asked, consoleId, give, narrow, nowOf, take, grant, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';
import { samples } from '../../../fakes/samples.js';

function frozen<T>(part: T): T {
  if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) {
    Object.freeze(part);
    for (const inner of Object.values(part)) frozen(inner);
  }
  return part;
}

function countingIds(): () => string {
  let count = 0;
  return () => `id-${(count += 1)}`;
}

describe('decide', () => {
  for (const type of commandTypes.filter((one) => authority[one].changes))
    it(`is pure: the same question about ${type} has the same answer, and touches nothing that it was given`, async () => {
      for (const sample of samples[type] ?? []) {
        const machine = await world(sample.base);
        const first = await machine.startWell();
        await sample.prepare?.(first, machine);
        const running = await machine.startWell();
        const { by, command, jti } = await sample.ask(running, machine);
        const state = frozen(running.core.state);
        const level = state.levels.findIndex((one) => one.roster.some((entry) => entry.name === by));
        const lease = state.levels[level]?.lease ?? '';
        const request = frozen({
          level,
          lease,
          console: consoleId(by),
          jti,
          command,
          statement: 's',
          provenNew: true,
        });
        const [spare] = running.core.ring.pool.map((id) => running.core.ring.pairs.get(id));
        // As the core takes it out of its seal.
        const secret = Secret.take(Buffer.from('correct horse'));
        const given = () =>
          frozen({
            now_s: running.core.now_s(),
            measured: 'M'.repeat(42).concat('A'),
            locked: new Set<string>(),
            shareOpens: () => false,
            newId: countingIds(),
            ...(type === 'secret.set' ? { secret } : {}),
            ...(spare ? { sparePair: { id: spare.public.id, jwk: spare.public.jwk } } : {}),
          });
        const once = decide(state, request, given());
        // What comes with a share is decided by a share that only the core takes out of its seal: here it is refused, twice alike.
        if (type !== 'keys.share' && type !== 'keys.unlock')
          expect(once.ok, `${sample.title}: ${JSON.stringify(once)}`).to.equal(true);
        expect(decide(state, request, given())).to.deep.equal(once);
      }
    });

  it('refuses a command that was said to another lease of the same level', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const console = consoleId('tenant.administrator');
    const request = {
      level: 1,
      console,
      jti: 'j',
      statement: 's',
      provenNew: true,
      command: { type: 'history.verify' },
    } as const;
    expect(refusalIn(await running.core.act({ ...request, lease: 'A'.repeat(22) })).code).to.equal(
      'wrong-lease',
    );
  });
});

describe('a change of filters that waits', () => {
  async function waiting() {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const set = { otherwise: 'deny', filters: [{ action: 'allow', peers: ['10.0.0.0/8'] }] };
    value(
      await give(
        running,
        asked('landlord.operator', { type: 'filters.replace', expect: 0, set, confirmWithin: 60 }),
      ),
    );
    return { machine, running };
  }

  it('is confirmed by the console that asked for it', async () => {
    const { running } = await waiting();
    value(await give(running, asked('landlord.operator', { type: 'filters.confirm', version: 1 })));
    expect(running.core.state.levels[0].waiting).to.equal(undefined);
  });

  it('holds up nobody but its own level: the landlord tightens while a tenant has not confirmed', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const { version } = running.core.state.levels[1]?.filters ?? { version: -1 };
    const deny = { otherwise: 'inherit', filters: [{ action: 'deny', peers: ['10.9.0.0/16'] }] };
    const slow = { type: 'filters.replace' as const, expect: version, set: deny, confirmWithin: 600 };
    value(await give(running, asked('tenant.operator', slow)));
    const again = refusalIn(await give(running, asked('tenant.operator', { ...slow, expect: version + 1 })));
    expect(again.code).to.equal('change-pending');
    const closed = { otherwise: 'deny', filters: [] };
    const landlord = running.core.state.levels[0].filters.version;
    value(
      await give(
        running,
        asked('landlord.operator', { type: 'filters.replace', expect: landlord, set: closed }),
      ),
    );
    expect(running.core.state.levels[1]?.waiting?.console).to.be.a('string');
  });

  it('is not confirmed by another console of the level, which was not the one to be cut off', async () => {
    const { running } = await waiting();
    const other = asked('landlord.administrator', { type: 'filters.confirm', version: 1 });
    expect(refusalIn(await give(running, other)).code).to.equal('not-authorised');
  });

  it('is undone when its time is over, and only the level itself is told what it was', async () => {
    const { machine, running } = await waiting();
    const before = running.core.state.levels.map((level) => level.history.head.seq);
    machine.clock.pass(60);
    await running.core.passTime();
    const after = running.core.state.levels.map((level) => level.history.head.seq);
    expect(running.core.state.levels[0].filters).to.include({ version: 2 });
    expect(running.core.state.levels[0].filters.blocks).to.deep.equal([]);
    expect(after.map((seq, level) => seq - (before[level] ?? 0))).to.deep.equal([1, 0]);
  });
});

describe('a lease', () => {
  it('is over before any command of its holder acts, however late the node looks at the clock', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    machine.clock.pass(10 * 3600);
    const late = asked('tenant.operator', narrow(2));
    expect(refusalIn(await give(running, late)).code).to.equal('lease-dark');
  });

  it('cannot be taken once its time has passed', async () => {
    const machine = await world('granted');
    const running = await machine.startWell();
    machine.clock.pass(10 * 3600);
    expect(refusalIn(await give(running, asked('tenant.administrator', take('tenant')))).code).to.equal(
      'lease-dark',
    );
  });

  it('that was not taken in its time is destroyed like any other', async () => {
    const machine = await world('granted');
    const running = await machine.startWell();
    machine.clock.pass(12 * 3600);
    await running.core.passTime();
    expect(running.core.state.levels).to.have.length(1);
  });

  it('is granted with no right that the granter lacks, and for no longer than its own', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const longer = asked('tenant.administrator', grant('user', nowOf(machine) + 11 * 3600));
    expect(refusalIn(await give(running, longer)).code).to.equal('right-not-held');
    const more = { ...grant('user', nowOf(machine) + 60), rights: ['hardware'] } as ReturnType<typeof grant>;
    expect(refusalIn(await give(running, asked('tenant.administrator', more))).code).to.equal(
      'right-not-held',
    );
  });

  it('that is ended over the head of the level between is told to that level', async () => {
    const machine = await world('chain');
    const running = await machine.startWell();
    const before = running.core.state.levels[1]?.history.head.seq ?? 0;
    const lease = running.core.state.levels[2]?.lease ?? '';
    value(await give(running, asked('landlord.administrator', { type: 'lease.end', lease })));
    expect(running.core.state.levels[1]?.history.head.seq).to.equal(before + 1);
  });
});

describe('verifying a history', () => {
  it('finds a line that was taken out on the disk', async () => {
    const machine = await world('chain');
    machine.disk.tamper((entries) => {
      const lines = [...entries.keys()].filter((key) => key.startsWith('h/')).sort();
      const tenants = lines.filter((key) => key.split('/')[1] === lines[0]?.split('/')[1]);
      entries.delete(tenants[1] ?? '');
    });
    const running = await machine.startWell();
    const notes: string[] = [];
    for (const party of ['landlord', 'tenant', 'user']) {
      value(await give(running, asked(`${party}.operator`, { type: 'history.verify' })));
      await settled(running);
      const job = running.core.state.jobs.at(-1);
      notes.push(`${job?.state} ${job?.state === 'failed' ? job.note : ''}`.trim());
    }
    expect(notes.sort()).to.deep.equal(['done', 'done', 'failed entry 2 is missing or cannot be read']);
  });
});

describe('the time of a node', () => {
  it('is not the wall clock’s when that is set ahead or back', () => {
    for (const step of [100_000, -100_000]) {
      const clock = new FakeClock();
      const time = new NodeTime(clock, 0);
      const begin = time.now_s();
      clock.set(step);
      clock.pass(3600);
      expect(Math.abs(time.now_s() - begin - 3600)).to.be.at.most(60);
    }
  });

  it('goes on from its floor when the wall clock stands far behind it', () => {
    const clock = new FakeClock();
    const floor = Math.floor(clock.wall() / 1000) + 1_000_000;
    const time = new NodeTime(clock, floor);
    expect(time.now_s()).to.equal(floor);
    clock.pass(3600);
    expect(time.now_s()).to.be.at.least(floor + 3600 - 60);
  });

  it('is made durable before much of it could be lost', async () => {
    const { core } = await (await world('tenant')).startWell();
    const given = {
      now_s: core.now_s() + limits.time_floor_s_max,
      locked: new Set<string>(),
      shareOpens: () => false,
      newId: countingIds(),
    };
    expect(decideTime(core.state, given)).to.deep.include({ touched: [], keys: [] });
    expect(decideTime(core.state, { ...given, now_s: given.now_s - 1 })).to.equal(undefined);
  });
});
