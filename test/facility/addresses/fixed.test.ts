import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { Bed, distPath, until, type BedProcess, type Place } from '../bed/index.js';

describe('a node with addresses of its configuration', () => {
  let bed: Bed;
  let place: Place;
  let other: Place;
  let node: BedProcess;
  let dir: string;
  const cli = [process.execPath, distPath('bmonitor/cli/index.js')];

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'], addressed: false });
    place = bed.place('node');
    other = bed.place('other');
    await other.must(['ip', 'address', 'add', '10.77.0.99/16', 'dev', other.nic]);
    dir = join(await place.dir(), 'node');
    const landlord = join(await place.dir(), 'landlord.json');
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: (await makePair(2048)).public.jwk };
    await writeFile(landlord, JSON.stringify(card));
    const named = ['--landlord', landlord, '--name', 'node-1', '--key-bits', '2048', '--keys', 'file'];
    const net = ['--listen', '0.0.0.0:7443', '--interface', place.nic, '--console', bed.console.ipv4];
    const own = ['--address', '10.77.0.100/16', 'fd00:77::100/64', '--router', '10.77.0.1', 'fe80::1'];
    await place.must(['ip', 'link', 'set', place.nic, 'down']);
    await place.must([...cli, 'init', '--dir', dir, ...named, ...net, ...own]);
    await start();
  });
  after(() => bed.remove());

  async function start(): Promise<void> {
    node = place.spawn([...cli, 'run', '--dir', dir]);
    await node.says(/"event":"node.ready"/);
  }

  async function has(words: readonly string[], text: string): Promise<void> {
    await until(async () => (await place.must(['ip', ...words])).includes(text), {
      what: () => `${text}:\n${node.log}`,
    });
  }

  async function complete(): Promise<void> {
    await has(['-4', 'address', 'show', 'dev', place.nic], 'inet 10.77.0.100/16');
    await has(['-6', 'address', 'show', 'dev', place.nic], 'inet6 fd00:77::100/64');
    await has(['-4', 'route', 'show', 'default'], `via 10.77.0.1 dev ${place.nic}`);
    await has(['-6', 'route', 'show', 'default'], `via fe80::1 dev ${place.nic}`);
  }

  it('puts them and the ways to its routers on the interface', complete);

  it('answers its console there, and nobody else', async () => {
    expect(await bed.console.tryTcp({ to: '10.77.0.100', port: 7443 })).to.equal('answered');
    expect(await other.tryTcp({ to: '10.77.0.100', port: 7443 })).to.equal('silent');
    expect(await other.ping('10.77.0.100')).to.equal('silent');
  });

  it('puts them back when the link goes down and comes up, or somebody takes them off', async () => {
    await place.must(['ip', 'link', 'set', place.nic, 'down']);
    await complete();
    await place.must(['ip', 'address', 'flush', 'dev', place.nic]);
    await complete();
    await place.must(['ip', 'route', 'del', 'default']);
    await complete();
    expect(await other.ping('10.77.0.100')).to.equal('silent');
  });

  it('has them after a restart, and while it is not running', async () => {
    await node.kill();
    await complete();
    expect(await other.ping('10.77.0.100')).to.equal('silent');
    await start();
    await complete();
  });

  it('takes off what an earlier configuration put there', async () => {
    await node.kill();
    const file = join(dir, 'node.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('10.77.0.100/16', '10.77.0.200/16'));
    await start();
    await has(['-4', 'address', 'show', 'dev', place.nic], 'inet 10.77.0.200/16');
    expect(await place.must(['ip', '-4', 'address', 'show', 'dev', place.nic])).to.not.include('10.77.0.100');
    expect(await bed.console.tryTcp({ to: '10.77.0.200', port: 7443 })).to.equal('answered');
    expect(await other.ping('10.77.0.200')).to.equal('silent');
    expect(node.log).to.not.include('"level":"error"');
  });
});
