import { join } from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { Bed, until, type Place } from '../bed/index.js';
import { ClientUnderTest } from './client-under-test.js';
import { ServerUnderTest } from './server-under-test.js';
import { simulatedMac, Storm } from './storm.js';

/** What udhcpc tells its script, kept as lines NAME=VALUE. */
const script = '#!/bin/sh\n[ "$1" = bound ] && env > "$RESULT"\nexit 0\n';

describe('the console gives addresses', () => {
  let bed: Bed;
  let node: Place;
  let server: ServerUnderTest;

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'], addressed: false });
    node = bed.place('node');
    server = await ServerUnderTest.start(bed.console);
  });
  afterEach(() => bed.remove());

  async function udhcpc(place: Place): Promise<Readonly<Record<string, string>> | undefined> {
    await place.must(['ip', 'link', 'set', place.nic, 'up']);
    const dir = await place.dir();
    const [file, result] = [join(dir, 'script'), join(dir, 'result')];
    await writeFile(file, script, { mode: 0o755 });
    const command = ['udhcpc', '-i', place.nic, '-s', file, '-f', '-q', '-n', '-t', '3', '-T', '2'];
    const { code } = await place.run(command, { env: { RESULT: result } });
    if (code !== 0) return undefined;
    const lines = (await readFile(result, 'utf8')).trim().split('\n');
    return Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
  }

  it('to a node that it knows, with all that belongs to it, as udhcpc sees it', async () => {
    await server.pool('10.77.1.1', '10.77.1.9', {
      routers: ['10.77.0.1'],
      dns: ['10.77.0.2', '10.77.0.3'],
      domain: 'hall.example',
    });
    await server.adopt({ mac: node.mac, node: 'rack-1-node-7' });
    expect(await udhcpc(node)).to.include({
      ip: '10.77.1.1',
      mask: '16',
      router: '10.77.0.1',
      dns: '10.77.0.2 10.77.0.3',
      domain: 'hall.example',
      hostname: 'rack-1-node-7',
      lease: '600',
      serverid: bed.console.ipv4,
    });
  });

  it('to nobody else, and lists who asked as waiting until adopted', async () => {
    await server.pool('10.77.1.1', '10.77.1.9');
    expect(await udhcpc(node)).to.equal(undefined);
    const [waiting] = await server.waiting();
    expect(waiting?.mac).to.equal(node.mac);
    expect(waiting?.asked).to.be.greaterThan(1);
    await server.adopt({ mac: node.mac, node: 'node-1' });
    expect(await server.waiting()).to.deep.equal([]);
    expect((await udhcpc(node))?.['ip']).to.equal('10.77.1.1');
  });

  it('to our own client, which gives it back; the next one gets another while there is one', async () => {
    await server.pool('10.77.1.1', '10.77.1.9', { routers: ['10.77.0.1'] });
    await server.adopt(
      { mac: node.mac, node: 'node-1' },
      { mac: bed.place('other').mac, node: 'node-2', fixed: '10.77.2.2' },
    );
    const client = await ClientUnderTest.start(node);
    expect(await client.applied()).to.equal('10.77.1.1');
    const other = await ClientUnderTest.start(bed.place('other'));
    expect(await other.applied()).to.equal('10.77.2.2');
    client.release();
    await server.process.says(/"event":"dhcp.free"/);
    await until(async () => (await client.addresses()).length === 0);
  });

  it('that no stranger on the link uses', async () => {
    const other = bed.place('other');
    await other.must(['ip', 'address', 'add', '10.77.1.1/16', 'dev', other.nic]);
    await server.pool('10.77.1.1', '10.77.1.9');
    await server.adopt({ mac: node.mac, node: 'node-1' });
    const client = await ClientUnderTest.start(node);
    expect(await client.applied()).to.equal('10.77.1.2');
    expect(server.process.log).to.include('dhcp.address-in-use');
    expect(client.process.log, 'the server saw it, not the client').to.not.include('declined');
  });

  it('the same ones after it was killed and started again', async () => {
    await server.pool('10.77.1.1', '10.77.1.9');
    await server.adopt({ mac: node.mac, node: 'node-1' }, { mac: bed.place('other').mac, node: 'node-2' });
    await udhcpc(node);
    await server.process.kill();
    server = await ServerUnderTest.start(bed.console);
    expect((await udhcpc(bed.place('other')))?.['ip']).to.equal('10.77.1.2');
    expect((await udhcpc(node))?.['ip']).to.equal('10.77.1.1');
  });

  it('each to one machine only, when a thousand ask at once for as many as there are', async () => {
    const count = 1000;
    await server.pool('10.77.4.1', '10.77.7.232');
    await server.adopt(
      ...Array.from({ length: count }, (_, number) => ({
        mac: simulatedMac(number),
        node: `node-${number}`,
      })),
    );
    await node.must(['ip', 'link', 'set', node.nic, 'up']);
    const storm = new Storm(node, count);
    await storm.run();
    const holders = new Map<string, string>();
    for (const { mac, address } of storm.acknowledged)
      expect(holders.set(address, holders.get(address) ?? mac).get(address), address).to.equal(mac);
    expect(new Set(storm.addresses.values()).size).to.equal(count);
    const held = await server.held();
    expect(new Map(held.map(({ mac = '', address }) => [mac, address]))).to.deep.equal(storm.addresses);
  });
});
