import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Bed, distPath, until, type BedProcess, type Frame, type Place } from '../bed/index.js';
import { addressesOf } from './client-under-test.js';
import { udhcpc } from './udhcpc.js';

const ipv4OfFrame = ({ data }: Frame): string | undefined => {
  const bytes = Buffer.from(data);
  return bytes.readUInt16BE(12) === 0x0800 ? [...bytes.subarray(26, 30)].join('.') : undefined;
};

/** Three machines on one link, two of them nodes of one customer that have their addresses from their console, and a stranger. */
describe('a node that is given another address by its console’s DHCP', function () {
  this.timeout(180_000);
  let bed: Bed;
  let one: Place;
  let two: Place;
  let stranger: Place;
  let dir: string;
  const nodes: BedProcess[] = [];
  const program = [process.execPath, distPath('console-cluster/cli/index.js')];
  const cli = [process.execPath, distPath('bmonitor/cli/index.js')];
  const must = async (...args: readonly string[]): Promise<string> =>
    bed.console.must([...program, '--dir', dir, ...args]);

  before(async () => {
    bed = await Bed.create({ nodes: ['one', 'two', 'stranger'], addressed: false });
    [one, two, stranger] = [bed.place('one'), bed.place('two'), bed.place('stranger')];
    await stranger.must(['ip', 'address', 'add', '10.77.0.99/24', 'dev', stranger.nic]);
    const folder = await bed.console.dir();
    dir = join(folder, 'console');
    const passphrase = join(folder, 'passphrase');
    await writeFile(passphrase, 'four random words\n', { mode: 0o600 });
    const at = ['--gateway', bed.console.ipv4, '--dhcp-interface', bed.console.nic, '--api-port', '0'];
    await must('init', '--name', 'facility', ...at, '--key-bits', '2048', '--passphrase-file', passphrase);
    const daemon = bed.console.spawn([...program, '--dir', dir, 'run', '--passphrase-file', passphrase]);
    await daemon.says(/"event":"dhcp\.serving"/);
    await daemon.says(/"event":"listening"/);
    const range = ['--first', '10.77.0.100', '--last', '10.77.0.109', '--lease', '600'];
    await must('dhcp', 'pool', 'default', '--network', '10.77.0.0/24', ...range, '--router', '10.77.0.1');
    const url = (await must('gateway', 'address')).trim();
    for (const [place, name] of [
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      await must('dhcp', 'admit', place.mac, name);
      const folderOf = join(await place.dir(), 'node');
      const named = ['--landlord', join(dir, 'console.pub.json'), '--name', name, '--key-bits', '2048'];
      const net = ['--listen', '0.0.0.0:7443', '--interface', place.nic, '--dhcp', '--keys', 'file'];
      const ways = ['--console', bed.console.ipv4, '--gateway', url];
      await place.must([...cli, 'init', '--dir', folderOf, ...named, ...net, ...ways]);
      const node = place.spawn([...cli, 'run', '--dir', folderOf]);
      nodes.push(node);
      await node.says(/"event":"node.ready"/);
      await must('nodes', 'add', join(folderOf, 'card-0.json'));
      await until(async () => new RegExp(`^${name} +good `, 'm').test(await must('nodes', 'list')));
    }
    await must('clusters', 'set', 'alder', 'one', 'two');
  });
  after(() => bed.remove());

  it('is found under it in the filters of all others, and no packet of a stranger is answered at any moment', async () => {
    const [before = ''] = (await addressesOf(one)).map((text) => text.split('/')[0] ?? '');
    const [other = ''] = (await addressesOf(two)).map((text) => text.split('/')[0] ?? '');
    const now = '10.77.0.150';
    await until(async () => (await two.ping(before)) === 'answered');
    // Whatever any of the two says to the stranger, of whatever kind, but who has which address.
    const mac = stranger.mac.replaceAll(':', '');
    const heard = await stranger.tap();
    const floods = await Promise.all(
      [before, now, other].map((to) => stranger.flood({ to, port: 9, rate: 500 })),
    );
    await must('dhcp', 'fix', 'one', now);
    await one.link.cut();
    await one.link.restore();
    await nodes[0]?.says(/"event":"address.changed","old":"[\d.]+"/);
    await until(async () => (await two.ping(now)) === 'answered', { bound_ms: 60_000 });
    await until(async () => (await one.ping(other)) === 'answered');
    const rules = await two.must(['nft', 'list', 'ruleset']);
    expect(rules).to.include(now).and.not.include(before);
    for (const flood of floods) expect((await flood.stop()).sent).to.be.greaterThan(0);
    // A bridge that has forgotten where somebody is tells everybody: only what is sent to the stranger counts.
    const toStranger = heard.frames.filter(({ data }) => Buffer.from(data).toString('hex', 0, 6) === mac);
    const from = new Set(toStranger.map(ipv4OfFrame));
    for (const address of [before, now, other]) expect(from.has(address), address).to.equal(false);
    // Who takes the address that the node had is nobody's node.
    await stranger.must(['ip', 'address', 'add', `${before}/24`, 'dev', stranger.nic]);
    expect(await stranger.ping(other, { from: before })).to.equal('silent');
  });

  it('leaves the one that it had to nobody else while another node, which was away, still lets it through', async () => {
    const [had = ''] = (await addressesOf(one)).map((text) => text.split('/')[0] ?? '');
    await two.link.cut();
    await until(async () => /^two +(silent|unknown) /m.test(await must('nodes', 'list')));
    await must('dhcp', 'fix', 'one', '10.77.0.160');
    await one.link.cut();
    await one.link.restore();
    await until(async () => /^one +good /m.test(await must('nodes', 'list')));
    await until(async () => /^two +alder +behind/m.test(await must('boundaries', 'list')));
    expect(await two.must(['nft', 'list', 'ruleset'])).to.include(had);
    await must('dhcp', 'admit', stranger.mac, 'spare');
    await must('dhcp', 'fix', 'spare', had);
    // Nobody holds it any more.
    expect(await must('dhcp', 'leases')).to.match(new RegExp(`^${had} .* over`, 'm'));
    expect(await udhcpc(stranger)).to.equal('');
    await two.link.restore();
    await until(async () => (await udhcpc(stranger)) === had);
    expect(await two.must(['nft', 'list', 'ruleset']))
      .to.include('10.77.0.160')
      .and.not.include(had);
  });
});
