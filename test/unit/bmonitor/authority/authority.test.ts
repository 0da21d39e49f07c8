import { expect } from 'chai';
import { authorize } from '../../../../bmonitor/authority/authorize.js';
import { authority, type LeaseStatus } from '../../../../bmonitor/authority/table.js';
import { speakerOf } from '../../../../bmonitor/node/decide.js';
import { rightsNow, type Level, type NodeState } from '../../../../bmonitor/node/state.js';
import { commandTypes, rights, roles, type Right, type Role } from '../../../../protocol/commands.js';
import { world, consoleId } from '../../../fakes/machine/world.js';

/**
 * Who may do what, written a second time from the specifications and not from the table, so that a slip in either shows. One line a command:
 *
 *   who       any level, or the landlord
 *   from      the least role: dev (developer), op (operator), admin (administrator)
 *   while     the states of its lease: G granted and not taken, A active, D dark
 *   right     what its level must hold, or -
 *   nonce     -, always, or when it loosens something
 *
 * Looking is for everyone of a level as long as its lease is there; the record of all commands is not for developers. What changes keys,
 * leases or rosters is for administrators, with a nonce. A dark level may look and leave, and nothing else. Developers build and try engines:
 * they command those on the nodes where they are enrolled, and nothing else; what destroys what an engine wrote is provably new.
 */
const lines = `
  status               any       dev    GAD  -           -
  levels.read          any       dev    GAD  -           -
  history.read         any       op     AD   -           -
  receipts.read        any       dev    AD   -           -
  events.follow        any       dev    AD   -           -
  jobs.read            any       dev    AD   -           -
  filters.read         any       dev    AD   -           -
  filters.counters     any       dev    AD   boundaries  -
  filters.probe        any       op     A    boundaries  -
  history.trim         any       admin  A    -           always
  history.verify       any       op     A    -           -
  job.cancel           any       op     A    -           -
  health.read          any       dev    AD   hardware    -
  hardware.reboot      any       op     A    hardware    always
  hardware.power-off   any       op     A    hardware    always
  hardware.suspend     any       op     A    hardware    always
  hardware.identify    any       op     A    hardware    -
  node.rename          landlord  op     A    hardware    -
  node.transfer        landlord  admin  A    hardware    always
  node.label           any       admin  A    -           always
  consoles.add         any       admin  A    -           always
  consoles.remove      any       admin  A    -           always
  lease.grant          any       admin  A    lease       always
  lease.take           any       admin  G    -           always
  lease.extend         any       admin  A    lease       always
  lease.end            any       admin  AD   -           always
  filters.replace      any       op     A    boundaries  loosens
  filters.change       any       op     A    boundaries  loosens
  filters.confirm      any       op     A    boundaries  -
  filters.undo         any       op     A    boundaries  loosens
  quarantine           landlord  op     A    boundaries  loosens
  ways.set             landlord  admin  A    boundaries  always
  ways.confirm         landlord  admin  A    boundaries  -
  keys.read            any       dev    AD   -           -
  keys.boot            any       dev    GAD  -           -
  keys.blindness       any       dev    AD   -           -
  measurement.read     any       dev    AD   -           -
  measurement.approve  any       admin  A    -           always
  measurement.withdraw any       admin  A    -           always
  keys.make            any       admin  A    keys        always
  keys.rotate          any       admin  A    keys        always
  keys.consent         any       admin  A    keys        always
  keys.share           any       admin  A    keys        always
  keys.unlock          any       op     A    keys        always
  engines.read         any       dev    AD   engines     -
  engine.read          any       dev    AD   engines     -
  images.read          any       dev    AD   engines     -
  folders.read         any       dev    AD   engines     -
  image.send           any       dev    A    engines     -
  engine.logs          any       dev    A    engines     -
  engine.ask           any       dev    A    engines     -
  engines.usage        any       dev    AD   -           -
  engine.put           any       dev    A    engines     -
  engine.start         any       dev    A    engines     -
  engine.stop          any       dev    A    engines     -
  engine.kill          any       dev    A    engines     -
  engine.restart       any       dev    A    engines     -
  engine.reload        any       dev    A    engines     always
  engine.pause         any       dev    A    engines     -
  engine.resume        any       dev    A    engines     -
  engine.remove        any       dev    A    engines     always
  folder.remove        any       dev    A    engines     always
  engine.exec          any       dev    A    engines     -
  secrets.read         any       dev    AD   engines     -
  secret.set           any       dev    A    engines     -
  secret.remove        any       dev    A    engines     always
  engine.attach        any       dev    A    engines     -
  engine.forward       any       dev    A    engines     -
`;

interface Row {
  readonly who: string;
  readonly from: Role;
  readonly while: readonly LeaseStatus[];
  readonly right: string;
  readonly nonce: string;
}

const roleWords: Readonly<Record<string, Role>> = {
  dev: 'developer',
  op: 'operator',
  admin: 'administrator',
};
const statusLetters = { G: 'granted', A: 'active', D: 'dark' } as const;

const rows: ReadonlyMap<string, Row> = new Map(
  lines
    .trim()
    .split('\n')
    .map((line) => {
      const [command = '', who = '', role = '', letters = '', right = '', nonce = ''] = line
        .trim()
        .split(/\s+/);
      const from = roleWords[role];
      if (!from) throw new Error(`no such role: ${line}`);
      const states = (['G', 'A', 'D'] as const).filter((letter) => letters.includes(letter));
      return [command, { who, from, while: states.map((letter) => statusLetters[letter]), right, nonce }];
    }),
);

/** Ranked from the one that may least. */
const rank: Readonly<Record<Role, number>> = { developer: 0, operator: 1, administrator: 2 };

interface Asking {
  readonly level: number;
  readonly role: Role;
  readonly status: LeaseStatus;
  readonly rights: readonly Right[];
  readonly provenNew: boolean;
  readonly loosens: boolean;
  /** The key is limited to nodes with labels that this one has not. */
  readonly elsewhere: boolean;
}

function mayByTheSpec(row: Row, asking: Asking): boolean {
  return (
    !asking.elsewhere &&
    (row.who === 'any' || asking.level === 0) &&
    rank[asking.role] >= rank[row.from] &&
    row.while.includes(asking.status) &&
    (row.right === '-' || asking.rights.some((right) => right === row.right)) &&
    (row.nonce === '-' || asking.provenNew || (row.nonce === 'loosens' && !asking.loosens))
  );
}

const both = [true, false] as const;
const pairsOfBoth = both.flatMap((one) => both.map((other) => [one, other] as const));
const statuses = ['granted', 'active', 'dark'] as const;

/** Every subset would be 64; what counts is to have all, none, and all but each one. */
const rightSets: readonly (readonly Right[])[] = [
  rights,
  [],
  ...rights.map((one) => rights.filter((right) => right !== one)),
];

describe('authority', () => {
  for (const command of commandTypes)
    it(`of ${command} is as the specifications have it, for every level, role, state, right and proof`, () => {
      const row = rows.get(command);
      if (!row) return expect.fail(`no line for ${command} in this test: write it from the specification`);
      for (const level of [0, 1, 2, 3])
        for (const role of roles)
          for (const status of level === 0 ? (['active'] as const) : statuses)
            for (const held of rightSets)
              for (const provenNew of both)
                for (const [loosens, elsewhere] of pairsOfBoth) {
                  const asking = { level, role, status, rights: held, provenNew, loosens, elsewhere };
                  const outOf = elsewhere ? ['test'] : [];
                  const speaker = { level, role, status, rights: held, outOf };
                  const may = authorize(speaker, command, { provenNew, loosens });
                  expect(may.ok, JSON.stringify(asking)).to.equal(mayByTheSpec(row, asking));
                }
    });

  it('is asked of nothing that does not exist', () => {
    expect(Object.keys(authority).sort()).to.deep.equal([...commandTypes].sort());
  });

  it('lets nothing but engines be changed by a developer, nor anything by a level that has not taken its lease but the taking itself', () => {
    for (const command of commandTypes.filter((one) => authority[one].changes)) {
      if (authority[command].role === 'developer')
        expect(authority[command].right, command).to.equal('engines');
      if (command !== 'lease.take') expect(authority[command].when, command).to.not.include('granted');
    }
  });

  it('lets a dark level change nothing but leave', () => {
    const dark = commandTypes.filter((one) => authority[one].changes && authority[one].when.includes('dark'));
    expect(dark).to.deep.equal(['lease.end']);
  });

  it('wants a nonce for whatever touches keys, leases and rosters', () => {
    const touching = commandTypes.filter(
      (one) => authority[one].changes && /^(keys|lease|consoles)\.|^node\.(transfer|label)$/.test(one),
    );
    for (const command of touching) expect(authority[command].nonce, command).to.equal('always');
  });
});

describe('who speaks', () => {
  let state: NodeState;
  before(async () => (state = (await (await world('chain')).startWell()).core.state));

  it('is an enrolled console, with its role and what its level holds just now', () => {
    for (const [level, party] of ['landlord', 'tenant', 'user'].entries())
      for (const role of roles) {
        const speaker = speakerOf(state, { level, console: consoleId(`${party}.${role}`) });
        expect(speaker).to.deep.equal({
          ok: true,
          value: { level, role, rights: rightsNow(state, level), status: 'active', outOf: [] },
        });
      }
  });

  it('is nobody else: no stranger, no console of another level, not the node itself, no level that is not there', () => {
    const node = 'A'.repeat(43);
    for (const console of [consoleId('stranger.administrator'), node, ''])
      for (const level of [0, 1, 2, 3, -1, 8])
        expect(code(state, level, console)).to.equal('unknown-console');
    for (const [level, party] of ['landlord', 'tenant', 'user'].entries())
      for (const other of [0, 1, 2, 3].filter((one) => one !== level))
        expect(code(state, other, consoleId(`${party}.administrator`))).to.equal('unknown-console');
  });

  it('is not a console that was removed', () => {
    const [landlord, tenant, user] = state.levels;
    const gone = consoleId('tenant.operator');
    const roster = tenant?.roster.filter((entry) => entry.id !== gone) ?? [];
    const without = { ...state, levels: [landlord, { ...tenant, roster } as Level, user as Level] as const };
    expect(code(without, 1, gone)).to.equal('unknown-console');
  });

  it('hands its engines and volumes on while a lease below runs, and keeps its boundaries and keys', () => {
    expect(rightsNow(state, 0)).to.deep.equal(['hardware', 'boundaries', 'keys', 'lease']);
    expect(rightsNow(state, 1)).to.deep.equal(['boundaries', 'keys', 'lease']);
    expect(rightsNow(state, 2)).to.deep.equal(['boundaries', 'engines', 'volumes', 'keys', 'lease']);
    expect(rightsNow(state, 3)).to.deep.equal([]);
  });
});

function code(state: NodeState, level: number, console: string): string {
  const speaker = speakerOf(state, { level, console });
  return speaker.ok ? 'a speaker' : speaker.refusal.code;
}
