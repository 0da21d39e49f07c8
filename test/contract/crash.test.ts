import { expect } from 'chai';
import { authority } from '../../bmonitor/authority/table.js';
import type { Acted } from '../../bmonitor/node/core.js';
import { commandTypes } from '../../protocol/commands.js';
import type { Result } from '../../protocol/result.js';
import { settled, type Machine, type Running } from '../fakes/machine/machine.js';
import type { Stop } from '../fakes/machine/power.js';
import { difference, enforcedShape, shapeOf, unsoundness } from '../fakes/machine/sound.js';
import { give, world, type Asked } from '../fakes/machine/world.js';
import { value } from '../fakes/results.js';
import { ownActs, samples, type OwnAct, type Sample } from '../fakes/samples.js';

/**
 * The machine is stopped at every point of every command: before, within and after each write to the disk and to the chip, and before and after
 * each effect; by a kill, and by a power cut. And again at every point of the start that follows. Each time the node must come
 * back sound, with the command there whole or not at all.
 */
const ways = ['kill', 'power'] as const;

describe('a node that is stopped in the middle', function () {
  this.timeout(120_000);

  for (const type of commandTypes.filter((one) => authority[one].changes)) {
    it(`has a sample of ${type}`, () => {
      expect(samples[type], `no sample for it in test/fakes/samples.ts: ${type}`).to.not.equal(undefined);
    });
    for (const sample of samples[type] ?? [])
      it(`has it whole or not at all: ${sample.title} (${type})`, () => tryCommand(sample));
  }

  for (const act of ownActs) it(`has it whole or not at all: ${act.title}`, () => tryOwnAct(act));
});

async function prepared({ base, prepare }: Sample | OwnAct): Promise<Machine> {
  const machine = await world(base);
  const running = await machine.startWell();
  await prepare?.(running, machine);
  if (!running.power.off) await running.core.close();
  return machine;
}

async function tryCommand(sample: Sample): Promise<void> {
  const before = await prepared(sample);
  const left = new Set<string>();
  const undisturbed = await run(before.copy(), sample);
  const { points } = undisturbed;
  expect(points.length, 'points at which it can stop').to.be.greaterThan(2);
  for (const by of ways)
    for (let at = 1; at <= points.length; at += 1) {
      const where = `${by} at ${at}, ${points[at - 1]}`;
      const machine = before.copy();
      const cut = await run(machine, sample, { at, by });
      const stopped = machine.copy();
      const acted = await comesBackWithIt(sample, machine, cut, undisturbed, where);
      if (at === points.length) expect(acted, where).to.equal(true);
      // Many stops leave the same behind, for which one try is enough.
      if (left.has(leftBehind(stopped, acted))) continue;
      left.add(leftBehind(stopped, acted));
      await atEveryPointOfTheNextStart(stopped, where);
    }
}

interface Ran {
  readonly asked: Asked;
  readonly answer: Result<Acted> | undefined;
  readonly points: readonly string[];
  /** As it is when the command is never given. */
  readonly untouched: string;
  readonly after: string;
}

/** Gives the command. Without an answer: the machine stopped before it gave one. */
async function run(machine: Machine, sample: Sample, stop?: Stop): Promise<Ran> {
  const other = await untouched(machine.copy());
  const running = await machine.startWell();
  const asked = await sample.ask(running, machine);
  running.power.stopAt(stop);
  const answer = await Promise.race([give(running, asked), running.power.stopped.then(() => undefined)]);
  await Promise.race([settled(running), running.power.stopped]);
  const after = shapeOf(running.core.state);
  if (stop === undefined) {
    value(answer ?? { ok: false, refusal: { code: 'internal' } });
    expect(await unsoundness(running, machine)).to.deep.equal([]);
  }
  return { asked, answer, points: [...running.power.passed], untouched: other, after };
}

async function untouched(machine: Machine): Promise<string> {
  const running = await machine.startWell();
  await settled(running);
  return shapeOf(running.core.state);
}

/** Answers whether the command had acted before the stop. */
async function comesBackWithIt(
  sample: Sample,
  machine: Machine,
  cut: Ran,
  whole: Ran,
  where: string,
): Promise<boolean> {
  const running = await machine.startWell();
  await settled(running);
  expect(await unsoundness(running, machine), where).to.deep.equal([]);
  const here = shapeOf(running.core.state);
  const acted = here === whole.after;
  if (cut.answer !== undefined)
    expect(difference(here, whole.after), `${where}: acknowledged, and lost`).to.equal(undefined);
  if (!acted && here !== whole.untouched)
    expect.fail(`${where}: neither there nor not there: ${difference(here, whole.untouched)}`);
  expect(
    machine.enforced && enforcedShape(machine.enforced),
    `${where}: the kernel has another state`,
  ).to.equal(enforcedShape(running.core.state));
  if (acted)
    expect(sample.holds?.(running, machine) ?? true, `${where}: not done to the machine`).to.equal(true);
  await answersOnce(running, machine, cut, whole, acted, sample.passing ?? false, where);
  await running.core.close();
  return acted;
}

/** The console sends the command again, as it does when no answer came. */
async function answersOnce(
  running: Running,
  machine: Machine,
  cut: Ran,
  whole: Ran,
  acted: boolean,
  passing: boolean,
  where: string,
): Promise<void> {
  // A level that ended its own lease has nobody left to ask again.
  if (running.core.state.levels.every((level) => level.roster.every((one) => one.name !== cut.asked.by)))
    return;
  const generation = running.core.state.generation;
  const repeated = await give(running, cut.asked);
  // What it answered rests under a key that waits for its share again.
  if (!repeated.ok && repeated.refusal.code === 'shares-outstanding' && acted) return;
  if (!repeated.ok && !acted && passing) return;
  const again = value(repeated);
  expect(again.again, `${where}: acts once`).to.equal(acted);
  if (acted) expect(running.core.state.generation, `${where}: acts once`).to.equal(generation);
  if (cut.answer?.ok) expect(again.result, where).to.deep.equal(cut.answer.value.result);
  await settled(running);
  expect(difference(shapeOf(running.core.state), whole.after), `${where}: after the repetition`).to.equal(
    undefined,
  );
  const third = await give(running, cut.asked);
  if (third.ok) expect(third.value, where).to.deep.equal({ result: again.result, again: true });
  expect(await unsoundness(running, machine), `${where}: after the repetition`).to.deep.equal([]);
}

/** How much of what is on the disk, and whether it took hold. */
function leftBehind({ disk }: Machine, acted: boolean): string {
  const rooms = disk.keys().map((key) => key.split('/')[0]);
  return `${rooms.join(' ')} ${acted}`;
}

/** The start that cleans up is stopped too, at each of its points, and the one after it finds the same. */
async function atEveryPointOfTheNextStart(stopped: Machine, after: string): Promise<void> {
  const calm = stopped.copy();
  const first = await calm.startWell();
  await settled(first);
  const shape = shapeOf(first.core.state);
  const points = [...first.power.passed];
  for (const by of ways)
    for (let at = 1; at <= points.length; at += 1) {
      const machine = stopped.copy();
      const start = await machine.start({ at, by });
      // Or a little later, in a job that went on with the start.
      const begun = start && value(start);
      if (begun) await settled(begun);
      expect(begun?.power.off ?? true, 'it was to stop').to.equal(true);
      const running = await machine.startWell();
      await settled(running);
      const where = `${after}, then ${by} at ${at} of the start, ${points[at - 1]}`;
      expect(shapeOf(running.core.state), where).to.equal(shape);
      expect(await unsoundness(running, machine), where).to.deep.equal([]);
    }
}

async function tryOwnAct(act: OwnAct): Promise<void> {
  const before = await prepared(act);
  const calm = before.copy();
  const first = await calm.startWell();
  const shapeBefore = shapeOf(first.core.state);
  first.power.stopAt(undefined);
  await act.run(first, calm);
  const shapeAfter = shapeOf(first.core.state);
  const points = [...first.power.passed];
  expect(points.length, 'points at which it can stop').to.be.greaterThan(1);
  expect(await unsoundness(first, calm)).to.deep.equal([]);
  for (const by of ways)
    for (let at = 1; at <= points.length; at += 1) {
      const where = `${by} at ${at}, ${points[at - 1]}`;
      const machine = before.copy();
      const running = await machine.startWell();
      running.power.stopAt({ at, by });
      await Promise.race([act.run(running, machine), running.power.stopped]);
      const next = await machine.startWell();
      expect(await unsoundness(next, machine), where).to.deep.equal([]);
      expect([shapeBefore, shapeAfter], where).to.include(shapeOf(next.core.state));
      await act.run(next, machine);
      expect(await unsoundness(next, machine), `${where}, and once more`).to.deep.equal([]);
    }
}
