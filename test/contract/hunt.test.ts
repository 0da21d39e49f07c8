import { expect } from 'chai';
import type { Command } from '../../protocol/commands.js';
import { Machine, settled, type Running } from '../fakes/machine/machine.js';
import type { FakeDisk } from '../fakes/machine/disk.js';
import { pairs } from '../fakes/machine/pairs.js';
import { rosterOf } from '../fakes/machine/principals.js';
import { opened, sharesOf } from '../fakes/machine/search.js';
import { shapeOf } from '../fakes/machine/sound.js';
import { asked, consoleId, give, grant, leaseAt, nowOf, take, world } from '../fakes/machine/world.js';
import { refusalIn, value } from '../fakes/results.js';

/**
 * The hunt: every sequence, up to a depth, of what a landlord can do who has the room, the power switch, the clock, copies of the disk from
 * every moment, and consoles of accomplices, and what a former tenant can do who kept its consoles, and a neighbour; then the same with commands that are
 * broken off by a crash. After each step: does anything that they
 * reach open the tenant's data, in any image of the disk there ever was, and does any of them speak in the tenant's name?
 * `HUNT_DEPTH=4` looks longer.
 */
const depth = Number(process.env['HUNT_DEPTH'] ?? 3);
/** With crashes there are three times as many moves: they are looked at less deep. */
const cutDepth = Math.max(1, depth - 1);
const day = 86_400;
/** The landlord, whom it helps, a tenant that is gone, and one who leases another node and whose consoles hear of this one. */
const crooks = ['landlord', 'accomplice', 'former', 'neighbour'] as const;
const crookIds: ReadonlySet<string> = new Set(
  crooks.flatMap((party) =>
    (['administrator', 'operator', 'developer'] as const).map((role) => consoleId(`${party}.${role}`)),
  ),
);

interface Hunted {
  readonly machine: Machine;
  /** Copies of the disk from every step, the oldest first. */
  readonly images: readonly FakeDisk[];
  readonly path: readonly string[];
  /** Those of the crooks whose consoles are enrolled somewhere: every word of another is refused before it is looked at. */
  readonly speak: readonly string[];
}

interface Move {
  readonly name: string;
  /** What is commanded; absent: something is done to the machine. */
  readonly command?: (running: Running, machine: Machine, by: string) => Command;
  readonly do?: (hunted: Hunted) => void;
  /** The command is cut off by a kill or a power cut at this point of it, counted from 1: from 0 to 1 of the way. */
  readonly cut?: { readonly by: 'kill' | 'power'; readonly along: number };
}

const destroysAll = ({ core }: Running, from: number): string[] =>
  core.state.levels.slice(from).map((level) => level.lease);

const moves: readonly Move[] = [
  { name: 'make its key', command: () => ({ type: 'keys.make' }) },
  ...([0, 1] as const).flatMap((level): Move[] =>
    (['keep', 'reencrypt', 'destroy'] as const).map((data) => ({
      name: `rotate level ${level}, ${data}`,
      command: (running) => ({
        type: 'keys.rotate',
        level,
        key: true,
        data,
        ...(data === 'destroy' ? { destroys: destroysAll(running, level) } : {}),
      }),
    })),
  ),
  {
    name: 'end the lease',
    command: ({ core }) => ({
      type: 'lease.end',
      lease: core.state.levels[1]?.lease ?? leaseAt(core.state, 0),
    }),
  },
  { name: 'grant to an accomplice', command: (_, machine) => grant('accomplice', nowOf(machine) + day, 0) },
  { name: 'take as the accomplice', command: () => take('accomplice') },
  { name: 'grant to the neighbour', command: (_, machine) => grant('neighbour', nowOf(machine) + day, 0) },
  { name: 'take as the neighbour', command: () => take('neighbour') },
  {
    name: 'extend the lease',
    command: ({ core }, machine) => ({
      type: 'lease.extend',
      lease: core.state.levels[1]?.lease ?? leaseAt(core.state, 0),
      until: nowOf(machine) + 30 * day,
    }),
  },
  ...(['end', 'keep'] as const).map((below): Move => ({
    name: `sell the node to the accomplice, ${below} what is below`,
    command: (running) => ({
      type: 'node.transfer',
      to: rosterOf('accomplice'),
      below,
      destroys: destroysAll(running, 0).slice(0, below === 'keep' ? 1 : undefined),
    }),
  })),
  {
    name: 'agree in the tenant’s place',
    command: ({ core }) => ({ type: 'keys.consent', to: leaseAt(core.state, 0), act: 'rotate' }),
  },
  { name: 'pull the plug', do: () => {} },
  { name: 'set the clock a month ahead', do: ({ machine }) => machine.clock.set(30 * day) },
  { name: 'wait until the lease is over', do: ({ machine }) => machine.clock.pass(2 * day) },
  {
    name: 'put back the oldest image',
    do: ({ machine, images }) => (machine.disk = (images[0] ?? machine.disk).copy()),
  },
  {
    name: 'put back the last image',
    do: ({ machine, images }) => (machine.disk = (images.at(-1) ?? machine.disk).copy()),
  },
];

/** The commands after which something else is wrapped, made or destroyed, broken off on their way: by a kill, or by the plug. */
const cutMoves: readonly Move[] = moves
  .filter(({ command }) => command !== undefined)
  .map((move, at): Move => {
    const cut = at % 2 === 0 ? ({ by: 'kill', along: 0.4 } as const) : ({ by: 'power', along: 0.8 } as const);
    return { ...move, name: `${move.name}, cut off by ${at % 2 === 0 ? 'a kill' : 'the plug'}`, cut };
  });

describe('the hunt for a way to a tenant’s data', function () {
  this.timeout(0);

  it(`finds none in any sequence of ${depth} of ${moves.length} moves, each by four parties, nor of ${cutDepth} of them with crashes between`, async () => {
    const { machine: base, formerly, tenant } = await rented();
    const known = new Set<string>();
    let [tried, acted, refusedStarts, crashes] = [0, 0, 0, 0];
    const search = async (choice: readonly Move[], deep: number): Promise<void> => {
      let front: Hunted[] = [
        { machine: base, images: [formerly, base.disk.copy()], path: [], speak: ['landlord'] },
      ];
      const seen = new Set<string>();
      for (let step = 1; step <= deep; step += 1) {
        const next: Hunted[] = [];
        for (const hunted of front)
          for (const move of choice)
            for (const by of move.command ? crooks : ['landlord']) {
              tried += 1;
              if (!hunted.speak.includes(by)) continue;
              const after = await play(hunted, move, by, tenant);
              if (after === 'refused') continue;
              if (after === 'dark') {
                refusedStarts += 1;
                continue;
              }
              acted += 1;
              if (move.cut) crashes += 1;
              known.add(after.shape);
              if (seen.has(after.shape)) continue;
              seen.add(after.shape);
              next.push(after.hunted);
            }
        front = next;
      }
    };
    await search(moves, depth);
    await search([...moves, ...cutMoves], cutDepth);
    console.log(
      `      depth ${depth}, and ${cutDepth} with crashes: ${tried} moves tried, ${acted} had an effect, ${crashes} of them cut off, ` +
        `${known.size} different states, ${refusedStarts} starts refused with an old image; nothing found`,
    );
    expect(crashes).to.be.greaterThan(depth > 2 ? 20 : 0);
    expect(known.size).to.be.greaterThan(20);
    expect(refusedStarts).to.be.greaterThan(0);
  });

  it('finds none for a neighbour, who has every key of another node and every image of this one', async () => {
    const [here, there] = [await rented(), await rented(await Machine.make())];
    const theirs = await there.machine.startWell();
    const running = await here.machine.startWell();
    await nobodySpeaksFor(running, here.tenant, ['a neighbour']);
    const { ring, state } = theirs.core;
    const keys = [ring.data, ring.outer, ring.symmetric].flatMap((some) => [...some.values()]);
    const loot = { keys, shares: sharesOf(ring, state) };
    const images = [here.formerly, here.machine.disk];
    const leases = new Set(images.flatMap((image) => image.keys().map((place) => place.split('/')[1] ?? '')));
    expect(leases).to.include(here.tenant);
    for (const tenant of leases) {
      const wrapped = running.core.ring.wrapped.get(tenant);
      expect(opened(loot, images, { tenant, wrapped }), tenant).to.deep.equal([]);
    }
    await theirs.core.close();
    await running.core.close();
  });

  it('would find a key that opened the data', async () => {
    const machine = await world('tenant');
    const running = await machine.startWell();
    const tenant = leaseAt(running.core.state, 1);
    const reached = { leases: [tenant], running };
    expect(openedBy(reached, [machine.disk], tenant)).to.not.deep.equal([]);
  });
});

/** A node on which a tenant was that is gone, and whose present tenant has a key of its own, as has the landlord. */
async function rented(made?: Machine): Promise<{ machine: Machine; formerly: FakeDisk; tenant: string }> {
  const machine = made ?? (await world('landlord'));
  const running = await machine.startWell();
  const landlord = 'landlord.administrator';
  const until = nowOf(machine) + day;
  value(await give(running, asked(landlord, { type: 'keys.make' })));
  value(await give(running, asked(landlord, grant('former', until))));
  value(await give(running, asked('former.administrator', take('former'))));
  const formerly = machine.disk.copy();
  const lease = leaseAt(running.core.state, 1);
  value(await give(running, asked(landlord, { type: 'lease.end', lease })));
  value(await give(running, asked(landlord, grant('tenant', until))));
  value(await give(running, asked('tenant.administrator', take('tenant'))));
  const tenant = leaseAt(running.core.state, 1);
  await sparePair(running);
  await running.core.close();
  return { machine, formerly, tenant };
}

/** No sequence shall end because pairs are made more slowly than they are used. */
async function sparePair({ core }: Running): Promise<void> {
  for (const pair of await pairs(24))
    if (core.ring.pool.length < 2 && !core.ring.pairs.has(pair.public.id))
      value(await core.addSparePair(pair));
}

async function play(
  { machine: before, images, path, speak }: Hunted,
  move: Move,
  by: string,
  tenant: string,
): Promise<Played> {
  const machine = before.copy();
  const where = [...path, `${by}: ${move.name}`];
  move.do?.({ machine, images, path, speak });
  const started = await machine.start();
  // An image that the chip has left behind opens nothing: the node stays dark.
  if (!started?.ok) return 'dark';
  const running = started.value;
  await sparePair(running);
  if (move.command && move.cut) return cutOff({ machine, images, path: where, speak }, move, by, tenant);
  if (move.command) {
    const answer = await give(running, asked(`${by}.administrator`, move.command(running, machine, by)));
    if (!answer.ok) return 'refused';
  } else await running.core.passTime();
  await settled(running);
  return judged(running, { machine, images, path: where }, tenant);
}

/** How many points the command passes when nothing stops it, and then the machine stopped at one of them, and what its next start makes of that. */
async function cutOff(
  { machine, images, path }: Hunted,
  { command, cut }: Move,
  by: string,
  tenant: string,
): Promise<Played> {
  const whole = machine.copy();
  const calm = await whole.startWell();
  await sparePair(calm);
  calm.power.stopAt(undefined);
  if (!command || !cut) throw new Error('it is a command that is cut off');
  const answer = await give(calm, asked(`${by}.administrator`, command(calm, whole, by)));
  const points = calm.power.passed.length;
  await settled(calm);
  await calm.core.close();
  if (!answer.ok || points === 0) return 'refused';
  const stopped = await machine.startWell();
  await sparePair(stopped);
  stopped.power.stopAt({ at: Math.max(1, Math.ceil(points * cut.along)), by: cut.by });
  const given = give(stopped, asked(`${by}.administrator`, command(stopped, machine, by)));
  await Promise.race([given, stopped.power.stopped]);
  const again = await machine.start();
  if (!again?.ok) return 'dark';
  await settled(again.value);
  return judged(again.value, { machine, images, path }, tenant);
}

type Played = 'refused' | 'dark' | { readonly hunted: Hunted; readonly shape: string };

/** Does any of them speak as the tenant now, or open anything of it, in any image that there ever was? */
async function judged(
  running: Running,
  { machine, images, path }: Omit<Hunted, 'speak'>,
  tenant: string,
): Promise<Played> {
  await nobodySpeaksFor(running, tenant, path);
  const all = [...images, machine.disk.copy()];
  const leases = running.core.state.levels
    .filter((level) => level.roster.some((entry) => crookIds.has(entry.id)))
    .map((level) => level.lease);
  expect(leases, path.join('; ')).to.not.include(tenant);
  expect(openedBy({ leases, running }, all, tenant), path.join('; ')).to.deep.equal([]);
  const shape = `${machine.clock.wall()} ${shapeOf(running.core.state)}`;
  await running.core.close();
  const speak = crooks.filter((party) =>
    running.core.state.levels.some(({ roster }) =>
      roster.some((entry) => entry.id === consoleId(`${party}.administrator`)),
    ),
  );
  return { hunted: { machine, images: all, path, speak }, shape };
}

/** With everything of the levels for which they speak, and with the salt, which they have not: what of the tenant's opens? */
function openedBy(
  { leases, running }: { readonly leases: readonly string[]; readonly running: Running },
  images: readonly FakeDisk[],
  tenant: string,
): readonly string[] {
  const { ring, state } = running.core;
  const mine = leases.flatMap((lease) => [ring.data.get(lease), ring.outer.get(lease)]);
  const keys = mine.filter((key) => key !== undefined);
  const shares = sharesOf(ring, state, (lease) => leases.includes(lease));
  return opened({ keys, shares }, images, { tenant, wrapped: ring.wrapped.get(tenant) });
}

/** Each of them says that it speaks for the tenant's level and lease. */
async function nobodySpeaksFor({ core }: Running, tenant: string, where: readonly string[]): Promise<void> {
  const level = core.state.levels.findIndex((one) => one.lease === tenant);
  if (level === -1) return;
  for (const party of crooks) {
    const request = {
      level,
      lease: tenant,
      console: consoleId(`${party}.administrator`),
      jti: `hunt-${party}`,
      command: { type: 'keys.rotate', level, key: true, data: 'keep' } as const,
      statement: 'hunt',
      provenNew: true,
    };
    expect(refusalIn(await core.act(request)).code, where.join('; ')).to.equal('unknown-console');
  }
}
