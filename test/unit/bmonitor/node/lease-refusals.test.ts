import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { MachineFiles } from '../../../../bmonitor/host/health/machine.js';
import { wasMeasured } from '../../../../bmonitor/host/measured.js';
import { decideApproveMeasurement } from '../../../../bmonitor/node/decide/measurement.js';
import { limits } from '../../../../protocol/limits.js';
import type { Command } from '../../../../protocol/commands.js';
import type { Running } from '../../../fakes/machine/machine.js';
import { pairs } from '../../../fakes/machine/pairs.js';
import { rosterOf } from '../../../fakes/machine/principals.js';
import { asked, consoleId, give, grant, leaseAt, nowOf, take, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

const hour = 3600;
const landlord = 'landlord.administrator';
const tenant = 'tenant.administrator';

async function codeOf(running: Running, by: string, command: Command): Promise<string> {
  return refusalIn(await give(running, asked(by, command))).code;
}

async function sparePairs({ core }: Running): Promise<void> {
  for (const pair of await pairs(24))
    if (core.ring.pool.length < 2 && !core.ring.pairs.has(pair.public.id))
      value(await core.addSparePair(pair));
}

describe('what is refused of leases', () => {
  it('chain-occupied: a second lease beside the one that is there', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    expect(await codeOf(running, landlord, grant('other', nowOf(machine) + hour))).to.equal('chain-occupied');
  });

  it('chain-full: one level more than there may be', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const until = nowOf(machine) + hour;
    let last = 'tenant';
    for (let level = 2; level < limits.levels_max; level += 1) {
      await sparePairs(running);
      const next = `holder-${level}`;
      value(await give(running, asked(`${last}.administrator`, grant(next, until))));
      await sparePairs(running);
      value(await give(running, asked(`${next}.administrator`, take(next))));
      last = next;
    }
    expect(running.core.state.levels.length).to.equal(limits.levels_max);
    expect(await codeOf(running, `${last}.administrator`, grant('one-more', until))).to.equal('chain-full');
  });

  it('already-enrolled: a key that speaks for another level, in a grant, in a taking and in a transfer', async () => {
    const machine = await world('landlord');
    const running = await machine.startWell();
    expect(await codeOf(running, landlord, grant('landlord', nowOf(machine) + hour))).to.equal(
      'already-enrolled',
    );
    const granted = await (await world('granted')).startWell();
    const mine: Command = { type: 'lease.take', roster: rosterOf('landlord'), key: true };
    expect(await codeOf(granted, tenant, mine)).to.equal('already-enrolled');
    const leased = await (await world('tenant')).startWell();
    const sale: Command = { type: 'node.transfer', to: rosterOf('tenant'), below: 'keep', destroys: [] };
    expect(await codeOf(leased, landlord, sale)).to.equal('already-enrolled');
  });

  it('but not of a key whose lease ends with the sale: a tenant may buy its node', async () => {
    const leased = await (await world('tenant')).startWell();
    const destroys = leased.core.state.levels.map(({ lease }) => lease);
    const sale: Command = { type: 'node.transfer', to: rosterOf('tenant'), below: 'end', destroys };
    value(await give(leased, asked(landlord, sale)));
    const [only, ...others] = leased.core.state.levels;
    expect(only.roster.map(({ id }) => id)).to.include(consoleId(tenant));
    expect(others).to.deep.equal([]);
  });

  it('lease-shortened: an end that is past, or before the one that was promised', async () => {
    const machine = await world('landlord');
    const running = await machine.startWell();
    expect(await codeOf(running, landlord, grant('tenant', nowOf(machine) - 1))).to.equal('lease-shortened');
    const leased = await (await world('tenant')).startWell();
    const lease = leaseAt(leased.core.state, 1);
    const until = (leased.core.state.levels[1]?.term?.until_s ?? 0) - 1;
    expect(await codeOf(leased, landlord, { type: 'lease.extend', lease, until })).to.equal(
      'lease-shortened',
    );
  });

  it('lease-taken: a second taking, by whomever', async () => {
    const running = await (await world('tenant')).startWell();
    expect(await codeOf(running, tenant, take('other'))).to.equal('lease-taken');
  });

  it('lease-unknown, right-not-held: of another lease, and of more than one has', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const own = leaseAt(running.core.state, 0);
    const until = nowOf(machine) + 20 * hour;
    expect(await codeOf(running, landlord, { type: 'lease.extend', lease: own, until })).to.equal(
      'lease-unknown',
    );
    expect(await codeOf(running, landlord, { type: 'lease.end', lease: own })).to.equal('lease-unknown');
    expect(await codeOf(running, tenant, { type: 'lease.end', lease: own })).to.equal('lease-unknown');
    expect(await codeOf(running, tenant, grant('user', until))).to.equal('right-not-held');
  });
});

describe('what is refused of measurements', () => {
  it('measured-already: what the machine measures just now', async () => {
    const running = await (await world('tenant')).startWell();
    const digest = running.core.measured ?? '';
    expect(await codeOf(running, tenant, { type: 'measurement.approve', digest })).to.equal(
      'measured-already',
    );
  });
});

describe('what is refused where nothing is measured', () => {
  it('nothing-measured: a word on what the machine may measure', async () => {
    const running = await (await world('tenant')).startWell();
    const given = { now_s: 0, newId: () => '', locked: new Set<string>(), shareOpens: () => false };
    const command = { type: 'measurement.approve', digest: 'N'.repeat(42).concat('A') } as const;
    const request = { level: 1, lease: '', console: '', jti: '', statement: '', provenNew: true, command };
    expect(refusalIn(decideApproveMeasurement(running.core.state, request, given)).code).to.equal(
      'nothing-measured',
    );
  });

  it('not-measured: a node on a machine that shows no register, or an empty one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bmonitor-measured-'));
    try {
      expect(refusalIn(await wasMeasured(new MachineFiles(folder))).code).to.equal('not-measured');
      const registers = join(folder, 'sys/class/tpm/tpm0/pcr-sha256');
      await mkdir(registers, { recursive: true });
      await writeFile(join(registers, '13'), `${'0'.repeat(64)}\n`);
      expect(refusalIn(await wasMeasured(new MachineFiles(folder))).code).to.equal('not-measured');
      await writeFile(join(registers, '13'), `${'A'.repeat(64)}\n`);
      value(await wasMeasured(new MachineFiles(folder)));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
