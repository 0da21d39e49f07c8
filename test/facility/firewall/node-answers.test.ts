import { expect } from 'chai';
import { Bed, until, type Place } from '../bed/index.js';
import { Commanded } from './commanded.js';

interface Line {
  readonly index: number;
  readonly judged?: number;
  readonly refused?: number;
  readonly since: number;
  readonly open?: { readonly connections: number; readonly packets: number; readonly bytes: number };
}

describe('a whole node says what its kernel does with packets', () => {
  let bed: Bed;
  let place: Place;
  let other: Place;
  let node: Commanded;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [place, other] = [bed.place('node'), bed.place('other')];
    node = await Commanded.at(place);
    await place.listenTcp({ port: 80 });
    await node.must(0, {
      type: 'filters.replace',
      expect: 0,
      set: {
        otherwise: 'deny',
        filters: [
          { action: 'allow', direction: 'in', peers: [other.ipv4, other.ipv6], protocol: 'tcp' },
          { action: 'allow', direction: 'in', peers: [other.ipv4], protocol: 'udp' },
        ],
      },
    });
    const { filters } = (await node.must(1, { type: 'status' })) as { filters: { version: number } };
    await node.must(1, {
      type: 'filters.replace',
      expect: filters.version,
      set: {
        otherwise: 'inherit',
        filters: [
          { action: 'deny', direction: 'in', protocol: 'udp', ports: [9] },
          { action: 'deny', direction: 'in', protocol: 'udp', ports: [10] },
        ],
      },
    });
    for (const level of [0, 1]) await node.ask(level, { type: 'events.follow', after: 0 }, { follow: true });
  });
  after(async () => {
    await node.close();
    await bed.remove();
  });

  const linesOf = async (level: number): Promise<readonly Line[]> =>
    (await node.must(level, { type: 'filters.counters' }))['filters'] as readonly Line[];

  it('counts for each level its own filters: judgements of connections and refused packets, exactly', async () => {
    for (let times = 0; times < 3; times++)
      expect(await other.tryTcp({ to: place.ipv4, port: 80 })).to.equal('answered');
    for (let times = 0; times < 7; times++) await other.sendUdp({ to: place.ipv4, port: 10 }, 'refused', 1);
    await until(async () => (await linesOf(1)).some(({ refused }) => refused === 7));
    const [mine] = await linesOf(1);
    expect(mine).to.include({ index: 1, refused: 7 });
    expect(await linesOf(1)).to.have.length(1);
    const upper = await linesOf(0);
    expect(upper.find(({ index }) => index === 0)).to.include({ judged: 3 });
    expect(upper[0]?.since).to.be.greaterThan(1_700_000_000);
    const open = upper.find(({ index }) => index === 0)?.open;
    expect(open?.packets).to.be.greaterThan(3);
  });

  it('keeps counting a filter when another comes', async () => {
    const before = await linesOf(1);
    const { filters } = (await node.must(1, { type: 'status' })) as { filters: { version: number } };
    await node.must(1, {
      type: 'filters.change',
      expect: filters.version,
      add: [{ action: 'deny', direction: 'in', protocol: 'udp', ports: [11] }],
      remove: [],
    });
    expect(await linesOf(1)).to.deep.equal(before);
  });

  it('counts an open connection once more when a change has it judged again, and once only', async () => {
    const flow = await other.flood({ to: place.ipv4, port: 12, rate: 200 });
    const judged = async (): Promise<number> =>
      (await linesOf(0)).find(({ index }) => index === 1)?.judged ?? 0;
    await until(async () => (await judged()) > 0);
    const before = await judged();
    const version = async (): Promise<number> =>
      ((await node.must(1, { type: 'status' })) as { filters: { version: number } }).filters.version;
    const deny = { action: 'deny', direction: 'in', protocol: 'udp', ports: [13] };
    await node.must(1, { type: 'filters.change', expect: await version(), add: [deny], remove: [] });
    await until(async () => (await judged()) === before + 1);
    const { sent } = await flow.stop();
    expect(sent).to.be.greaterThan(1);
    expect(await judged()).to.equal(before + 1);
    await node.must(1, { type: 'filters.change', expect: await version(), add: [], remove: [3] });
  });

  it('tells the level that refused which filter it was, levels below which level, and levels above nothing', async () => {
    await until(() => node.events(1, 'packets.refused').some((event) => event['filter'] === 1), {
      bound_ms: 20_000,
    });
    const [mine] = node.events(1, 'packets.refused').filter((event) => event['filter'] === 1);
    expect(mine).to.include({
      level: 1,
      filter: 1,
      protocol: 'udp',
      port: 10,
      direction: 'in',
      from: other.ipv4,
    });
    await other.sendUdp({ to: place.ipv4, port: 5 }, 'passes');
    await place.sendUdp({ to: other.ipv4, port: 77 }, 'refused above').catch(() => {});
    await until(() => node.events(1, 'packets.refused').some((event) => event['level'] === 0), {
      bound_ms: 30_000,
    });
    const above = node.events(1, 'packets.refused').find((event) => event['level'] === 0);
    expect(above).to.include({ port: 77, direction: 'out' }).and.not.have.property('filter');
    expect(node.events(0, 'packets.refused').filter((event) => event['level'] === 1)).to.deep.equal([]);
  });

  it('shows by probes what it refuses on the way out, and does not claim what it cannot show', async () => {
    const probed = await node.must(0, { type: 'filters.probe' });
    expect(probed).to.include({ out: 'refused', in: 'unknown' });
    expect((probed['probes'] as readonly unknown[]).length).to.be.greaterThan(0);
  });

  it('tells a level below when a level above leaves its filters no room, once, and shows it until it is mended', async () => {
    const allow = { action: 'allow', direction: 'in', peers: [other.ipv4], protocol: 'tcp', ports: [443] };
    const version = async (level: number): Promise<number> =>
      ((await node.must(level, { type: 'status' })) as { filters: { version: number } }).filters.version;
    await node.must(1, { type: 'filters.change', expect: await version(1), add: [allow], remove: [] });
    const deny = { action: 'deny', direction: 'in', protocol: 'tcp', ports: [443] };
    const told = await node.must(0, {
      type: 'filters.change',
      expect: await version(0),
      add: [deny],
      remove: [],
    });
    expect(told).to.include({ levelsNoLongerFit: 1 });
    await until(() => node.events(1, 'filters.no-longer-fit').length === 1, { bound_ms: 10_000 });
    expect(node.events(1, 'filters.no-longer-fit')[0]).to.include({
      packet: `in ${other.ipv4} tcp 443`,
      filter: 3,
      refusedBy: 0,
    });
    const misfit = { filters: { noLongerFit: { packet: `in ${other.ipv4} tcp 443`, refusedBy: 0 } } };
    expect(await node.must(1, { type: 'status' })).to.deep.nested.include({
      'filters.noLongerFit': misfit.filters.noLongerFit,
    });
    expect(node.events(0, 'filters.no-longer-fit')).to.deep.equal([]);
    const mended = await node.must(0, {
      type: 'filters.change',
      expect: await version(0),
      add: [],
      remove: [2],
    });
    expect(mended).to.not.have.property('levelsNoLongerFit');
    expect(await node.must(1, { type: 'status' })).to.not.have.nested.property('filters.noLongerFit');
  });
});
