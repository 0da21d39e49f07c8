import { expect } from 'chai';
import { Bed, until, type Place } from '../bed/index.js';
import { Commanded } from './commanded.js';

describe('a whole node undoes what nobody confirms, and is quarantined', () => {
  let bed: Bed;
  let place: Place;
  let other: Place;
  let node: Commanded;
  const set = (...filters: readonly Record<string, unknown>[]): Record<string, unknown> => ({
    otherwise: 'deny',
    filters,
  });
  const open = set({ action: 'allow', direction: 'in', protocol: 'tcp', ports: [80] });
  const reaches = async (): Promise<boolean> =>
    (await other.tryTcp({ to: place.ipv4, port: 80 })) === 'answered';
  const version = async (): Promise<number> =>
    ((await node.must(0, { type: 'status' })) as { filters: { version: number } }).filters.version;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [place, other] = [bed.place('node'), bed.place('other')];
    node = await Commanded.at(place);
    await place.listenTcp({ port: 80 });
    await node.must(0, { type: 'filters.replace', expect: 0, set: open });
    await node.ask(0, { type: 'events.follow', after: 0 }, { follow: true });
  });
  after(async () => {
    await node.close();
    await bed.remove();
  });

  it('undoes a change that cuts a way when it is not confirmed in time', async () => {
    expect(await reaches()).to.equal(true);
    await node.must(0, { type: 'filters.replace', expect: await version(), set: set(), confirmWithin: 2 });
    expect(await reaches()).to.equal(false);
    await until(reaches, { bound_ms: 20_000 });
    await until(() => node.events(0, 'filters.undone').length === 1, { bound_ms: 10_000 });
  });

  it('keeps a change that is confirmed', async () => {
    const told = await node.must(0, {
      type: 'filters.replace',
      expect: await version(),
      set: set(),
      confirmWithin: 60,
    });
    await node.must(0, { type: 'filters.confirm', version: Number(told['version']) });
    const { filters } = (await node.must(0, { type: 'status' })) as { filters: Record<string, unknown> };
    expect(filters).to.not.have.property('pending');
    expect(await reaches()).to.equal(false);
    await node.must(0, { type: 'filters.replace', expect: await version(), set: open });
    expect(await reaches()).to.equal(true);
  });

  it('closes everything under quarantine, and opens it again', async () => {
    await node.must(0, { type: 'quarantine', on: true, reason: 'a test' });
    expect(await reaches()).to.equal(false);
    expect((await node.must(0, { type: 'status' }))['quarantine']).to.include({ on: true, reason: 'a test' });
    await node.must(0, { type: 'quarantine', on: false });
    expect(await reaches()).to.equal(true);
  });
});
