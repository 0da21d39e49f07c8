import { expect } from 'chai';
import type { BoxChange, LevelBoxes } from '../../../../../bmonitor/filters/boxes.js';
import { LevelCompiler } from '../../../../../bmonitor/filters/compile.js';
import type { NormalFilter } from '../../../../../bmonitor/filters/model.js';
import { ProgramMaker } from '../../../../../bmonitor/filters/nft/compile.js';
import { closedPlan, type NodePlan } from '../../../../../bmonitor/filters/nft/plan.js';
import { noNames, normaliseFilter } from '../../../../../bmonitor/filters/normalise.js';
import { mark } from '../../../../../bmonitor/ports/firewall-text.js';
import type { FirewallProgram, ProgramMap } from '../../../../../bmonitor/ports/firewall.js';
import { rebuild, transition, type Standing } from '../../../../../bmonitor/host/firewall/transition.js';
import { value } from '../../../../fakes/results.js';

type Elements = Readonly<Record<string, string>>;

function map(name: string, ranges: boolean, elements: Elements, together = 'level 0'): ProgramMap {
  const key = 'ipv4_addr . inet_proto . inet_service';
  return {
    name,
    key,
    verdicts: true,
    ranges,
    counted: true,
    together,
    elements: new Map(Object.entries(elements)),
  };
}

function program(exact: Elements, ranges: Elements, rules: readonly string[] = ['drop']): FirewallProgram {
  const maps = [map('exact', false, exact), map('ranges', true, ranges)];
  const chains = [
    { name: 'stamp', rules: ['ct mark set $full'] },
    { name: 'look', rules: ['ip saddr vmap @{exact}', 'ip saddr vmap @{ranges}', ...rules] },
    {
      name: 'input',
      hook: { type: 'filter', hook: 'input', priority: 0 } as const,
      rules: ['goto look'],
    },
  ];
  return { tables: [{ family: 'inet', chains, maps, counters: [] }] };
}

const empty = {
  maps: new Map(),
  chains: new Set<string>(),
  counters: new Set<string>(),
  tables: new Set<string>(),
};

function standing(first: FirewallProgram): Standing {
  return rebuild(empty, first, { epoch: 0, nextSlot: 1 }).next;
}

const many = (count: number, verdict = 'return', from = 0): Elements =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `10.0.${(index + from) >> 8}.${(index + from) & 255}`,
      verdict,
    ]),
  );

describe('the way from one program to the next', () => {
  it('does nothing for the same program', () => {
    const first = program({ a: 'return' }, { b: 'return' });
    const plan = transition(standing(first), first);
    expect([...plan.fill, ...plan.settle, ...plan.flip, ...plan.remove]).to.deep.equal([]);
    expect(plan.next.epoch).to.equal(1);
  });

  it('adds what only loosens in place and keeps the epoch', () => {
    const plan = transition(standing(program({}, {})), program({ a: 'return' }, { b: 'return' }));
    expect(plan.next.epoch).to.equal(1);
    expect(plan.flip).to.deep.equal([]);
    expect(plan.remove).to.deep.equal([]);
  });

  it('raises the epoch when an element goes, changes, or refuses', () => {
    const before = standing(program({ a: 'return' }, {}));
    expect(transition(before, program({}, {})).next.epoch).to.equal(2);
    expect(transition(before, program({ a: 'goto refuse' }, {})).next.epoch).to.equal(2);
    expect(transition(before, program({ a: 'return', b: 'goto refuse' }, {})).next.epoch).to.equal(2);
    expect(transition(before, program({ a: 'return' }, {}, ['accept'])).next.epoch).to.equal(2);
  });

  it('raises the epoch only after ranges have settled, never in one transaction with them', () => {
    const plan = transition(standing(program({}, { a: 'return' })), program({}, {}));
    expect(plan.settle.join()).to.include('delete element');
    expect(plan.flip.join()).to.include('flush chain inet bmonitor stamp').and.not.include('delete element');
  });

  it('puts exact keys in before they leave a range, and takes them out after they are in one', () => {
    const into = transition(standing(program({}, { a: 'return' })), program({ a: 'return' }, {}));
    expect(into.fill.join()).to.include('add element').and.include('exact');
    expect(into.settle.join()).to.include('delete element').and.include('ranges');
    const back = transition(standing(program({ a: 'return' }, {})), program({}, { a: 'return' }));
    expect(back.settle.join()).to.include('add element').and.include('ranges');
    expect(back.flip.join()).to.include('delete element').and.include('exact');
  });

  it('fills beside the old when much changes, flips, and only then removes', () => {
    const before = standing(program({}, many(500)));
    const plan = transition(before, program({}, many(500, 'return', 500)));
    expect(plan.fill.join()).to.match(/add map inet bmonitor ranges_s3 /u);
    expect(plan.flip.join()).to.include('@ranges_s3');
    expect(plan.remove).to.deep.equal(['delete map inet bmonitor ranges_s2']);
  });

  it('never makes a base chain anew', () => {
    const before = standing(program({ a: 'return' }, {}));
    const plan = transition(before, program({}, many(2000), ['accept']));
    const all = [...plan.fill, ...plan.settle, ...plan.flip, ...plan.remove].join('\n');
    expect(all).to.not.match(/(add|delete|flush) chain inet bmonitor input/u);
  });

  it('changes no rule that has a verdict when single filters come and go, so that the kernel need not walk through all elements', () => {
    const filter = (action: 'allow' | 'deny', id: number): NormalFilter =>
      value(
        normaliseFilter(
          { action, direction: 'in', peers: ['10.1.2.3'], protocol: 'tcp', ports: [80 + id] },
          noNames,
          { id, where: '' },
        ),
      );
    const compiler = value(LevelCompiler.from([filter('allow', 0), filter('deny', 1)]));
    const levelNow = (): LevelBoxes => ({
      otherwise: 'deny',
      onRefuse: 'reject',
      boxes: [...compiler.boxes()],
    });
    const plan: NodePlan = { ...closedPlan, levels: [levelNow()] };
    const maker = new ProgramMaker();
    const before = standing(maker.make(plan));
    const changes = [
      (): BoxChange => value(compiler.add(filter('deny', 2))),
      (): BoxChange => value(compiler.remove(0)),
      (): BoxChange => value(compiler.remove(1)),
    ];
    let now = before;
    for (const change of changes) {
      const changed = change();
      const steps = transition(now, maker.change({ ...plan, levels: [levelNow()] }, 0, changed));
      now = steps.next;
      const until = [...steps.fill, ...steps.settle, ...steps.flip].join('\n');
      expect(until).to.not.match(/(?:accept|drop|return|goto|jump)\b.*$/mu);
    }
    expect(now.epoch).to.equal(before.epoch + 3);
  });

  it('lets the old mark leave its set with the same step that brings the new one', () => {
    const plan: NodePlan = { ...closedPlan, levels: [{ otherwise: 'deny', onRefuse: 'drop', boxes: [] }] };
    const maker = new ProgramMaker();
    const before = standing(maker.make(plan));
    const after = transition(before, maker.make({ ...plan, quarantine: true }));
    const slot = before.slots.get('inet bmonitor/known_full') ?? '';
    expect(after.flip).to.include(`delete element inet bmonitor ${slot} { ${mark('full', before.epoch)} }`);
    expect(after.flip).to.include(`add element inet bmonitor ${slot} { ${mark('full', after.next.epoch)} }`);
  });

  it('removes what it finds and does not know', () => {
    const found = {
      maps: new Map([['inet bmonitor/old_s9', 'map' as const]]),
      chains: new Set(['inet bmonitor/intruder', 'inet bmonitor/input']),
      counters: new Set<string>(),
      tables: new Set(['inet bmonitor']),
    };
    const plan = rebuild(found, program({}, {}), { epoch: 7, nextSlot: 10 });
    expect(plan.next.epoch).to.equal(8);
    expect(plan.remove).to.deep.equal([
      'flush chain inet bmonitor intruder',
      'delete map inet bmonitor old_s9',
      'delete chain inet bmonitor intruder',
    ]);
  });
});
