import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Acted } from '../../bmonitor/node/core.js';
import type { Command, Role } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import type { Result } from '../../protocol/result.js';
import { digestOf } from '../../crypto/bytes.js';
import { settled, type Machine, type Running } from '../fakes/machine/machine.js';
import { pairs } from '../fakes/machine/pairs.js';
import { member } from '../fakes/machine/principals.js';
import type { Stop } from '../fakes/machine/power.js';
import { unsoundness } from '../fakes/machine/sound.js';
import {
  asked,
  consoleId,
  give,
  grant,
  narrow,
  nowOf,
  take,
  world,
  type Asked,
  type Base,
} from '../fakes/machine/world.js';

/**
 * Several parties command one node at random, well and badly, while it crashes, loses its power, has its clock set and its disk put back. After
 * every step the promises are checked that can be checked from outside. A failure is shrunk to the shortest sequence, with its seed.
 * Without more words each run walks the same way, so that a red run is red for everybody; WALK_SEED walks another, WALK_SECONDS makes it longer.
 *
 * Open: seed 1 fails after 161 walks with "a stranger acted". Whether the node or this model is wrong is not known yet.
 */
const seconds = Number(process.env['WALK_SECONDS'] ?? 12);
const seed = Number(process.env['WALK_SEED'] ?? 7);

const parties = ['landlord', 'tenant', 'user', 'guest', 'stranger'] as const;
type Party = (typeof parties)[number];

type Step =
  | {
      readonly kind: 'act';
      readonly party: Party;
      readonly role: Role;
      readonly what: number;
      readonly nonce: boolean;
      readonly stop?: Stop;
    }
  | { readonly kind: 'repeat'; readonly which: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'set'; readonly seconds: number }
  | { readonly kind: 'copy' }
  | { readonly kind: 'put back' };

/** What a party may try, from what it sees. Some of it is always wrong. */
const attempts: readonly ((running: Running, machine: Machine, party: Party) => Command)[] = [
  (_, machine, party) => grant(nextOf(party), nowOf(machine) + 3600, 600),
  (_, machine, party) => grant(nextOf(party), nowOf(machine) + 36_000, 0),
  (_, machine, party) => grant(party, nowOf(machine) - 1),
  (_, __, party) => take(party),
  (_, __, party) => take(nextOf(party), false),
  ({ core }, machine) => ({ type: 'lease.extend', lease: lastLease(core), until: nowOf(machine) + 7200 }),
  ({ core }) => ({ type: 'lease.extend', lease: lastLease(core), until: 40 }),
  ({ core }) => ({ type: 'lease.end', lease: lastLease(core) }),
  ({ core }) => ({ type: 'lease.end', lease: core.state.levels[1]?.lease ?? core.state.levels[0].lease }),
  (_, __, party) => ({ type: 'consoles.add', console: member(party, 'operator', `${party}.second`) }),
  (_, __, party) => ({ type: 'consoles.add', console: member(nextOf(party), 'administrator') }),
  (_, __, party) => ({ type: 'consoles.remove', key: consoleId(`${party}.second`) }),
  (_, __, party) => ({ type: 'consoles.remove', key: consoleId(`${party}.administrator`) }),
  (running, _, party) => narrow(versionOf(running, party)),
  (running, _, party) => ({ ...narrow(versionOf(running, party)), confirmWithin: 30 }) as Command,
  (running, _, party) => ({
    type: 'filters.replace',
    expect: versionOf(running, party),
    set: { otherwise: 'deny', filters: [{ action: 'allow', peers: ['10.0.0.0/8'] }] },
    confirmWithin: 30,
  }),
  (running, _, party) => ({
    type: 'filters.change',
    expect: versionOf(running, party),
    add: [{ action: 'deny', protocol: 'udp' }],
    remove: [0],
  }),
  () => narrow(77),
  (running, _, party) => ({ type: 'filters.confirm', version: versionOf(running, party) }),
  () => ({ type: 'quarantine', on: true }),
  () => ({ type: 'quarantine', on: false }),
  () => ({ type: 'node.rename', name: 'other' }),
  () => ({ type: 'history.verify' }),
  ({ core }, _, party) => {
    const { head } = (levelOf(core, party) ?? core.state.levels[0]).history;
    return { type: 'history.trim', before: head.seq + 1, head: head.digest };
  },
  ({ core }) => ({ type: 'job.cancel', job: core.state.jobs.at(-1)?.id ?? 'A'.repeat(22) }),
];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: act() },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      seconds: fc.constantFrom(1, 31, 700, 4000, 40_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      seconds: fc.constantFrom(-100_000, -30, 30, 100_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'copy' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'put back' as const }) },
);

function act(): fc.Arbitrary<Step> {
  return fc.record(
    {
      kind: fc.constant('act' as const),
      party: fc.constantFrom(...parties),
      role: fc.constantFrom<Role>('administrator', 'administrator', 'operator', 'developer'),
      what: fc.nat(attempts.length - 1),
      nonce: fc.integer({ min: 0, max: 9 }).map((die) => die > 0),
      stop: fc.record({
        at: fc.integer({ min: 1, max: 9 }),
        by: fc.constantFrom('kill' as const, 'power' as const),
      }),
    },
    { requiredKeys: ['kind', 'party', 'role', 'what', 'nonce'] },
  );
}

describe('a random walk', function () {
  this.timeout(seconds * 1000 * 20 + 120_000);

  it('of several parties over one node breaks no promise', async () => {
    const bases = fc.constantFrom<Base>('landlord', 'granted', 'tenant', 'chain');
    await fc.assert(
      fc.asyncProperty(
        bases,
        fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }),
        async (base, steps) => {
          const walk = await Walk.from(await world(base));
          for (const one of steps) await walk.take(one);
        },
      ),
      { seed, numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false },
    );
  });
});

/** The lease whose holder acted, and what it commanded. */
interface Done {
  readonly lease: string;
  readonly command: Command;
}

interface Remembered {
  readonly asked: Asked;
  readonly lease: string;
  readonly result: Acted['result'];
}

/** One walk: the machine, and what those who look on remember. */
class Walk {
  #running: Running;
  #generation = 0;
  #time_s = 0;
  #rosters = new Map<string, string>();
  #pairs = new Map<string, string>();
  readonly #heads = new Map<string, { readonly seq: number; readonly digest: string }>();
  readonly #remembered: Remembered[] = [];
  #copied: Machine | undefined;

  private constructor(
    readonly machine: Machine,
    running: Running,
  ) {
    this.#running = running;
  }

  static async from(machine: Machine): Promise<Walk> {
    return new Walk(machine, await machine.startWell());
  }

  async take(step: Step): Promise<void> {
    const owner = await this.#do(step);
    await settled(this.#running);
    await this.#check(step, owner);
  }

  /** Answers the lease whose holder acted, and what. */
  async #do(step: Step): Promise<Done | undefined> {
    switch (step.kind) {
      case 'act':
        return this.#act(step);
      case 'repeat':
        await this.#repeat(step.which);
        return undefined;
      case 'restart':
        await this.#restart();
        return undefined;
      case 'pass':
        this.machine.clock.pass(step.seconds);
        await this.#running.core.passTime();
        return undefined;
      case 'set':
        this.machine.clock.set(step.seconds);
        await this.#running.core.passTime();
        return undefined;
      case 'copy':
        this.#copied = this.machine.copy();
        return undefined;
      case 'put back':
        await this.#putBack();
        return undefined;
    }
  }

  async #act(step: Extract<Step, { kind: 'act' }>): Promise<Done | undefined> {
    const running = this.#running;
    const attempt = attempts[step.what];
    if (!attempt) throw new Error('there is such an attempt');
    const by = `${step.party}.${step.role}`;
    const command = attempt(running, this.machine, step.party);
    const request = asked(by, command);
    const lease = levelOf(running.core, step.party)?.lease ?? '';
    running.power.stopAt(step.stop);
    const answer = await Promise.race([
      give(running, request, step.nonce),
      running.power.stopped.then(() => undefined),
    ]);
    running.power.stopAt(undefined);
    if (answer === undefined) await this.#askAgain(request, lease);
    else if (answer.ok) this.#remember(request, lease, answer);
    if (answer?.ok && step.party === 'stranger') expect.fail('a stranger acted');
    if (running.core.ring.pool.length === 0) await this.#refill();
    return { lease, command };
  }

  /** After a stop nobody knows whether the command acted. The record does, and the answer to the same id must agree with it. */
  async #askAgain(request: Asked, lease: string): Promise<void> {
    await this.#restart();
    const { core, journal } = this.#running;
    const level = core.state.levels.find((one) => one.lease === lease);
    if (!level?.roster.some((entry) => entry.name === request.by)) return;
    const { first, head } = level.history;
    const lines = await journal.history(lease, first, Number.MAX_SAFE_INTEGER, head.seq);
    const acted = lines.some((line) => line.includes(`"jti":"${request.jti}"`));
    const again = await give(this.#running, request);
    if (again.ok) expect(again.value.again, 'it answers as if it had acted').to.equal(acted);
    this.#remember(request, lease, again);
  }

  #remember(request: Asked, lease: string, answer: Result<Acted>): void {
    if (answer.ok && !answer.value.again)
      this.#remembered.push({ asked: request, lease, result: answer.value.result });
  }

  /** The same id again: one answer, and nothing happens. */
  async #repeat(which: number): Promise<void> {
    const { core } = this.#running;
    const one = this.#remembered.at(-1 - which);
    const level = core.state.levels.find((level) => level.lease === one?.lease);
    if (!one || !level || level.status !== 'active') return;
    if (!level.roster.some((entry) => entry.name === one.asked.by)) return;
    const { generation } = core.state;
    const again = await give(this.#running, one.asked);
    expect(again).to.deep.equal({ ok: true, value: { result: one.result, again: true } });
    expect(core.state.generation).to.equal(generation);
  }

  async #restart(): Promise<void> {
    if (!this.#running.power.off) this.#running.power.cut('kill');
    this.#running = await this.machine.startWell();
    this.#time_s -= limits.time_floor_s_max;
  }

  /** Somebody puts an older copy of the disk back. The chip is not put back. */
  async #putBack(): Promise<void> {
    const copied = this.#copied;
    if (!copied) return;
    this.#running.power.cut('kill');
    const forged = this.machine.copy();
    forged.disk = copied.disk.copy();
    const opened = await forged.start();
    if (!copied.chip.sameG(this.machine.chip))
      expect(opened?.ok, 'an older disk was taken for the present one').to.equal(false);
    // Under the same G no key, lease or roster changed since. What else did is lost to such a copy, which then goes on by itself:
    // a console finds that by the head that it saw.
    await this.#restart();
  }

  async #refill(): Promise<void> {
    const { core } = this.#running;
    for (const pair of await pairs(16)) {
      const { ring } = core;
      if (ring.pairs.has(pair.public.id) || ring.identity.public.id === pair.public.id) continue;
      if (ring.pool.length < 3) await core.addSparePair(pair);
    }
  }

  async #check(step: Step, owner: Done | undefined): Promise<void> {
    const { core, journal } = this.#running;
    const what = JSON.stringify(step);
    expect(await unsoundness(this.#running, this.machine), what).to.deep.equal([]);
    expect(core.state.generation, `${what}: the generation fell`).to.be.at.least(this.#generation);
    expect(core.now_s(), `${what}: time fell`).to.be.at.least(this.#time_s);
    expect(core.now_s() - core.state.timeFloor_s, `${what}: too much time would be lost`).to.be.below(
      limits.time_floor_s_max,
    );
    this.#generation = core.state.generation;
    this.#time_s = core.now_s();
    for (const { lease, history } of core.state.levels) {
      const seen = this.#heads.get(lease);
      if (seen) {
        expect(history.head.seq, `${what}: a history lost entries`).to.be.at.least(seen.seq);
        const [line] = seen.seq >= history.first ? await journal.history(lease, seen.seq, 1, seen.seq) : [];
        if (line !== undefined)
          expect(digestOf(line), `${what}: a history was rewritten`).to.equal(seen.digest);
      }
      this.#heads.set(lease, history.head);
    }
    this.#checkRosters(what, owner);
    this.#checkKeysOfEndedLeases(what);
  }

  /** Who speaks for a level changes by its own commands only. */
  #checkRosters(what: string, owner: Done | undefined): void {
    const before = this.#rosters;
    this.#rosters = new Map(
      this.#running.core.state.levels.map(({ lease, roster }) => [
        lease,
        roster.map(({ id, role }) => id + role).join(' '),
      ]),
    );
    const own =
      owner && ['consoles.add', 'consoles.remove', 'lease.take'].includes(owner.command.type)
        ? owner.lease
        : '';
    for (const [lease, roster] of this.#rosters)
      if (before.has(lease) && lease !== own)
        expect(roster, `${what}: another changed a roster`).to.equal(before.get(lease));
  }

  #checkKeysOfEndedLeases(what: string): void {
    const { state, ring } = this.#running.core;
    const now = new Map(state.levels.map(({ lease, pair }) => [lease, pair.id]));
    for (const [lease, pair] of this.#pairs) {
      if (now.has(lease)) continue;
      expect(
        ring.data.has(lease) || ring.outer.has(lease),
        `${what}: a data key outlived its lease`,
      ).to.equal(false);
      if (!ring.pool.includes(pair) && ![...now.values()].includes(pair))
        expect(ring.pairs.has(pair), `${what}: a pair outlived its lease`).to.equal(false);
    }
    for (const [lease, pair] of now) this.#pairs.set(lease, pair);
  }
}

function nextOf(party: Party): Party {
  return parties[parties.indexOf(party) + 1] ?? 'stranger';
}

function levelOf(
  core: Running['core'],
  party: Party,
): Running['core']['state']['levels'][number] | undefined {
  return core.state.levels.find((level) => level.roster.some((entry) => entry.name.startsWith(`${party}.`)));
}

function lastLease(core: Running['core']): string {
  return core.state.levels.at(-1)?.lease ?? '';
}

function versionOf({ core }: Running, party: Party): number {
  return levelOf(core, party)?.filters.version ?? 0;
}
