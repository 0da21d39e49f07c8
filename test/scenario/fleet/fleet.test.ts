import { expect } from 'chai';
import { FleetConsole } from '../../../scripts/fleet/console.js';
import { concerns, parseFailure } from '../../../scripts/fleet/failures.js';
import { Fleet } from '../../../scripts/fleet/fleet.js';
import { RealConsole } from '../../fakes/console.js';
import { until } from '../../fakes/until.js';

const nodes = 60;

describe('a fleet of simulated nodes at a real console', function () {
  this.timeout(120_000);
  const landlord = new RealConsole('console-cluster');
  let keeper: FleetConsole;
  let fleet: Fleet;

  before(async () => {
    const key = landlord.init();
    keeper = FleetConsole.at(landlord.dir);
    await landlord.run();
    fleet = await Fleet.make({ nodes, heartbeat_ms: 200, landlord: key, levelPairs: 4 });
    await fleet.listen();
    await keeper.add(fleet.nodes.map((node) => fleet.card(node)));
  });
  after(async () => {
    await landlord.remove();
    await fleet?.close();
  });

  const good = async (): Promise<number> => (await keeper.states())['good'] ?? 0;
  const stateOf = async (name: string): Promise<unknown> => {
    const node = await keeper.client.call('GET', `/api/v1/nodes/${name}`);
    return node.ok ? node.value['state'] : node.refusal.code;
  };

  it('is dialled, adopted by its cards and shown as good, one identity each', async () => {
    await until(async () => (await good()) === nodes);
    expect(new Set(fleet.nodes.map(({ id }) => id)).size).to.equal(nodes);
    expect(fleet.connections).to.equal(nodes);
  });

  it('shows who went silent, who beats too late to be good, and nobody else', async () => {
    const silent = parseFailure('silence:10%', nodes);
    if (!silent) throw new Error('it is a failure');
    const names = fleet.nodes.filter(({ index }) => concerns(silent, index, nodes)).map(({ name }) => name);
    expect(names.length).to.equal(nodes / 10);
    fleet.begin(silent);
    await until(async () => (await good()) === nodes - names.length);
    for (const name of names) expect(await stateOf(name), name).not.to.equal('good');
    fleet.end(silent);
    await until(async () => (await good()) === nodes);
  });

  it('comes back whole after all of it was away at once', async () => {
    const away = parseFailure('away', nodes);
    if (!away) throw new Error('it is a failure');
    fleet.begin(away);
    await until(async () => (await good()) === 0);
    fleet.end(away);
    await until(async () => (await good()) === nodes);
    expect(fleet.connections).to.equal(nodes);
  });
});

describe('what a fleet is told to do wrong', () => {
  it('is read from one word, and refused when it is none', () => {
    expect(parseFailure('late:5%:8s@30s-1m', 100)).to.deep.equal({
      kind: 'late',
      share: 0.05,
      by_ms: 8000,
      from_ms: 30_000,
      until_ms: 60_000,
    });
    expect(parseFailure('lie:1', 50)?.share).to.equal(0.02);
    for (const none of ['', 'sleep', 'late:', 'late:200%', 'lie:51', 'late:5%:8', 'away@9s-3s', 'away@-3s'])
      expect(parseFailure(none, 50), none).to.equal(undefined);
  });

  it('concerns as many nodes as it says, and the same ones each time', () => {
    for (const [text, many] of [
      ['lie:1', 1],
      ['away', 50],
      ['late:10%', 5],
      ['slow:33%', 17],
    ] as const) {
      const failure = parseFailure(text, 50);
      if (!failure) throw new Error(text);
      const found = Array.from({ length: 50 }, (_, index) => index).filter((index) =>
        concerns(failure, index, 50),
      );
      expect(found.length, text).to.equal(many);
    }
  });
});
