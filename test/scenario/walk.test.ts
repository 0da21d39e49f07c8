import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Acted } from '../../bmonitor/node/core.js';
import type { Command, Role } from '../../protocol/commands.js';
import { openRoot } from '../../bmonitor/node/root-seal.js';
import { verifyReceipt } from '../../protocol/receipt.js';
import { limits } from '../../protocol/limits.js';
import type { Result } from '../../protocol/result.js';
import { digestOf } from '../../crypto/bytes.js';
import { settled, type Machine, type Running } from '../fakes/machine/machine.js';
import { pairs } from '../fakes/machine/pairs.js';
import type { Stop } from '../fakes/machine/power.js';
import { unsoundness } from '../fakes/machine/sound.js';
import { asked, give, world, type Asked, type Base } from '../fakes/machine/world.js';
import { attempts } from './walk/attempts.js';
import { KeyWatch } from './walk/key-watch.js';
import { levelOf, parties, type Party } from './walk/parties.js';

/**
 * Several parties command one node at random, well and badly, while it crashes, loses its power, has its clock set and its disk put back. After
 * every step the promises are checked that can be checked from outside. A failure is shrunk to the shortest sequence, with its seed.
 * Without more words each run walks the same way, so that a red run is red for everybody; WALK_SEED walks another, WALK_SECONDS makes it longer.
 */
const seconds = Number(process.env['WALK_SECONDS'] ?? 12);
const seed = Number(process.env['WALK_SEED'] ?? 7);

type Step =
  | {
      readonly kind: 'act';
      readonly party: Party;
      /** Then it is another, at the same place among those that are enrolled: most of what strangers say is refused for one reason. */
      readonly enrolled: boolean;
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
      enrolled: fc.integer({ min: 0, max: 9 }).map((die) => die > 1),
      role: fc.constantFrom<Role>(
        'administrator',
        'administrator',
        'administrator',
        'administrator',
        'operator',
        'developer',
      ),
      what: fc.nat(attempts.length - 1),
      nonce: fc.integer({ min: 0, max: 9 }).map((die) => die > 0),
      stop: fc.record({
        at: fc.integer({ min: 1, max: 9 }),
        by: fc.constantFrom('kill' as const, 'power' as const),
      }),
    },
    { requiredKeys: ['kind', 'party', 'enrolled', 'role', 'what', 'nonce'] },
  );
}

describe('a random walk', function () {
  this.timeout(seconds * 1000 * 20 + 120_000);

  it('of several parties over one node breaks no promise', async () => {
    const walked = { sequences: 0, steps: 0, acted: 0, refused: 0, crashes: 0, restarts: 0 };
    const bases = fc.constantFrom<Base>('landlord', 'granted', 'tenant', 'chain');
    await fc.assert(
      fc.asyncProperty(
        bases,
        fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }),
        async (base, steps) => {
          const walk = await Walk.from(await world(base));
          walked.sequences += 1;
          for (const one of steps) {
            walked.steps += 1;
            if (one.kind === 'restart' || one.kind === 'put back') walked.restarts += 1;
            await walk.take(one);
          }
          walked.acted += walk.acted;
          walked.refused += walk.refused;
          walked.crashes += walk.crashes;
        },
      ),
      { seed, numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false },
    );
    console.log(
      `      seed ${seed}, ${seconds} s: ${walked.sequences} sequences with ${walked.steps} steps: ${walked.acted} commands acted, ` +
        `${walked.refused} were refused, ${walked.crashes} were cut off by a crash, ${walked.restarts} starts beside those; nothing found`,
    );
    expect(walked.acted).to.be.greaterThan(0);
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
  /** Where the record of the lease stood then: answers go with the data when that is destroyed. */
  readonly seq: number;
}

/** One walk: the machine, and what those who look on remember. */
class Walk {
  #running: Running;
  #generation = 0;
  #time_s = 0;
  #rosters = new Map<string, string>();
  readonly #keys = new KeyWatch();
  /** The ring that was looked at last: one that is put on the disk is read back from there. */
  #ring: Running['core']['ring'] | undefined;
  readonly #receipts = new Set<string>();
  readonly #heads = new Map<string, { readonly seq: number; readonly digest: string }>();
  readonly #remembered: Remembered[] = [];
  #copied: Machine | undefined;
  /** What was tried, for whoever reads the output: commands that acted, that were refused, and that a crash cut off. */
  acted = 0;
  refused = 0;
  crashes = 0;

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
    const party = this.#partyOf(step);
    const by = `${party}.${step.role}`;
    const command = await attempt(running, this.machine, party);
    const request = asked(by, command);
    const lease = levelOf(running.core, party)?.lease ?? '';
    running.power.stopAt(step.stop);
    const answer = await Promise.race([
      give(running, request, step.nonce),
      running.power.stopped.then(() => undefined),
    ]);
    running.power.stopAt(undefined);
    if (answer === undefined) this.crashes += 1;
    else if (answer.ok) this.acted += 1;
    else this.refused += 1;
    if (answer === undefined) await this.#askAgain(request, lease);
    else if (answer.ok) this.#remember(request, lease, answer);
    if (answer?.ok && party === 'stranger') expect.fail('a stranger acted');
    if (running.core.ring.pool.length === 0) await this.#refill();
    return { lease, command };
  }

  #partyOf({ party, enrolled }: Extract<Step, { kind: 'act' }>): Party {
    const present = parties.filter((one) => levelOf(this.#running.core, one));
    return (enrolled ? present[parties.indexOf(party) % present.length] : undefined) ?? party;
  }

  /** After a stop nobody knows whether the command acted. The record does, and the answer to the same id must agree with it. */
  async #askAgain(request: Asked, lease: string): Promise<void> {
    await this.#restart();
    const { core, journal } = this.#running;
    const level = core.state.levels.find((one) => one.lease === lease);
    if (!level?.roster.some((entry) => entry.name === request.by)) return;
    const { first, head } = level.history;
    const lines = await journal.history(lease, first, Number.MAX_SAFE_INTEGER, head.seq);
    // While a share is outstanding nobody can read the record.
    const readable = core.ring.data.has(lease);
    const acted = lines.some((line) => line.includes(`"jti":"${request.jti}"`));
    const again = await give(this.#running, request);
    if (again.ok && readable) expect(again.value.again, 'it answers as if it had acted').to.equal(acted);
    this.#remember(request, lease, again);
  }

  #remember(request: Asked, lease: string, answer: Result<Acted>): void {
    if (answer.ok && !answer.value.again)
      this.#remembered.push({ asked: request, lease, result: answer.value.result, seq: this.#seqOf(lease) });
  }

  #seqOf(lease: string): number {
    const level = this.#running.core.state.levels.find((one) => one.lease === lease);
    return level?.history.head.seq ?? 0;
  }

  /** The same id again: one answer, and nothing happens. */
  async #repeat(which: number): Promise<void> {
    const { core } = this.#running;
    const one = this.#remembered.at(-1 - which);
    const level = core.state.levels.find((level) => level.lease === one?.lease);
    if (!one || !level || level.status !== 'active' || !core.ring.data.has(one.lease)) return;
    if (level.history.first > one.seq && level.epoch > 0) return;
    if (!level.roster.some((entry) => entry.name === one.asked.by)) return;
    const { generation } = core.state;
    const again = await give(this.#running, one.asked);
    expect(again).to.deep.equal({ ok: true, value: { result: one.result, again: true } });
    expect(core.state.generation).to.equal(generation);
  }

  async #restart(): Promise<void> {
    if (!this.#running.power.off) this.#running.power.cut('kill');
    this.#running = await this.machine.startWell();
    // This one came from the disk just now.
    this.#ring = this.#running.core.ring;
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
    // Those that a lease had come again only when no others are left.
    const all = await pairs(24);
    const known = all.filter((pair) => this.#keys.used(pair.public.id));
    for (const pair of [...all.filter((one) => !known.includes(one)), ...known]) {
      const { ring } = core;
      if (ring.pairs.has(pair.public.id) || ring.tls.public.id === pair.public.id) continue;
      if (ring.pool.length >= 3) return;
      this.#keys.made(pair.public.id);
      await core.addSparePair(pair);
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
    await this.#checkKeys(what);
    await this.#checkReceipts(what);
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

  /** In memory, on the disk as this machine opens it, and with every older copy of the disk. */
  async #checkKeys(what: string): Promise<void> {
    const { core } = this.#running;
    const older = this.#copied ? [this.#copied.disk] : [];
    const wrong = this.#keys.look(this.#running, core.ring, 'memory', older);
    if (core.ring !== this.#ring) wrong.push(...(await this.#wrongInJournal()));
    this.#ring = core.ring;
    expect(wrong, what).to.deep.equal([]);
    this.#keys.remember(core.state, core.ring);
  }

  async #wrongInJournal(): Promise<readonly string[]> {
    const { disk, chip } = this.machine;
    const secrets = await chip.open().load();
    const key = disk.keys().findLast((one) => one.startsWith('root/')) ?? '';
    const root = secrets.ok ? openRoot(secrets.value, key, disk.valueAt(key) ?? new Uint8Array()) : undefined;
    return root ? this.#keys.look(this.#running, root.ring, 'journal', []) : ['the root does not open'];
  }

  /** Every receipt that is kept is one that N signed, about this node. */
  async #checkReceipts(what: string): Promise<void> {
    const { core, journal } = this.#running;
    const identity = core.identity.public;
    for (const { lease, receipts } of core.state.levels)
      for (let at = receipts; at > 0 && !this.#receipts.has(`${lease} ${at}`); at -= 1) {
        const [jws = ''] = await journal.receipts(lease, at, at);
        const receipt = await verifyReceipt(jws, identity);
        expect(receipt.ok, `${what}: receipt ${at} of ${lease}`).to.equal(true);
        this.#receipts.add(`${lease} ${at}`);
      }
  }
}
