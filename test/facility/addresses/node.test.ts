import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { Bed, distPath, until, type BedProcess, type Place } from '../bed/index.js';
import { addressesOf } from './client-under-test.js';
import { ServerUnderTest } from './server-under-test.js';

describe('a whole node that has its address by DHCP', () => {
  let bed: Bed;
  let place: Place;
  let other: Place;
  let server: ServerUnderTest;
  let node: BedProcess;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'], addressed: false });
    place = bed.place('node');
    other = bed.place('other');
    await other.must(['ip', 'address', 'add', '10.77.0.99/16', 'dev', other.nic]);
    server = await ServerUnderTest.start(bed.console);
    await server.pool('10.77.0.100', '10.77.0.109', { routers: ['10.77.0.1'] });
    await server.adopt({ mac: place.mac, node: 'node-1' });
    const dir = join(await place.dir(), 'node');
    const landlord = join(await place.dir(), 'landlord.json');
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: (await makePair(2048)).public.jwk };
    await writeFile(landlord, JSON.stringify(card));
    const cli = [process.execPath, distPath('bmonitor/cli/index.js')];
    const named = ['--landlord', landlord, '--name', 'node-1', '--key-bits', '2048', '--keys', 'file'];
    const net = [
      '--listen',
      '0.0.0.0:7443',
      '--interface',
      place.nic,
      '--dhcp',
      '--console',
      bed.console.ipv4,
    ];
    await place.must([...cli, 'init', '--dir', dir, ...named, ...net, '--url', 'wss://10.77.0.100:7443']);
    node = place.spawn([...cli, 'run', '--dir', dir]);
    await node.says(/"event":"node.ready"/);
  });
  after(() => bed.remove());

  async function applied(address: string): Promise<void> {
    await until(async () => (await addressesOf(place)).join() === `${address}/16`, {
      what: () => `${address} on the node:\n${node.log}`,
    });
  }

  it('answers its console at that address, and nobody else', async () => {
    await applied('10.77.0.100');
    expect(await bed.console.tryTcp({ to: '10.77.0.100', port: 7443 })).to.equal('answered');
    expect(await other.tryTcp({ to: '10.77.0.100', port: 7443 })).to.equal('silent');
    expect(await other.ping('10.77.0.100')).to.equal('silent');
  });

  it('moves with its filters when it is given another', async () => {
    await server.adopt({ mac: place.mac, node: 'node-1', fixed: '10.77.0.200' });
    await place.link.cut();
    await place.link.restore();
    await node.says(/"event":"address.changed","old":"10.77.0.100"/);
    await applied('10.77.0.200');
    expect(await bed.console.tryTcp({ to: '10.77.0.200', port: 7443 })).to.equal('answered');
    expect(await other.ping('10.77.0.200')).to.equal('silent');
    const rules = await place.must(['nft', 'list', 'ruleset']);
    expect(rules).to.include('10.77.0.200').and.not.include('10.77.0.100');
    expect(node.log).to.not.include('effect.failed');
  });
});
