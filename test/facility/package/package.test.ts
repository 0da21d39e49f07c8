import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { Bed, type Place } from '../bed/index.js';
import { Unpacked } from './unpacked.js';

describe('the Debian package', () => {
  let dir: string;
  let unpacked: Unpacked;
  let bed: Bed;
  let node: Place;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bmonitor-package-'));
    unpacked = Unpacked.make(dir);
    bed = await Bed.create({ nodes: ['node', 'other'] });
    node = bed.place('node');
  });
  after(async () => {
    await bed.remove();
    await rm(dir, { recursive: true, force: true });
  });

  /** As a kernel is after a boot: no rules, and nobody who holds a latch. */
  async function booted(): Promise<void> {
    const kill = 'for at in /proc/[0-9]*; do grep -qz "^BMONITOR_LATCH=held$" $at/environ 2>/dev/null && ';
    const here =
      '[ "$(readlink $at/ns/net)" = "$(readlink /proc/self/ns/net)" ] && kill -9 ${at#/proc/}; done; true';
    await node.must(['sh', '-c', kill + here]);
    await node.must(['sh', '-c', 'nft flush ruleset; conntrack -F']);
  }

  for (const command of ['bmonitor', 'console-cluster', 'console-app']) {
    it(`brings ${command}, which runs on the Node.js inside`, async () => {
      const { code, stdout } = await unpacked.run(node, [
        'sh',
        '-c',
        `mount --bind /dev/null /usr/bin/node && ${command} --version`,
      ]);
      expect([code, stdout.trim()]).to.deep.equal([0, '0.1.0']);
    });
  }

  it('brings units in which systemd finds no fault', async () => {
    const units = ['bmonitor-closed.service', 'bmonitor.service'].map(
      (name) => `/usr/lib/systemd/system/${name}`,
    );
    const { code, stdout, stderr } = await unpacked.run(node, [
      'systemd-analyze',
      'verify',
      '--man=no',
      ...units,
    ]);
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('bmonitor'))).to.deep.equal([]);
    expect(code).to.equal(0);
  });

  it('closes the machine before BMonitor runs', async () => {
    expect(await bed.console.ping(node.ipv4)).to.equal('answered');
    const closed = await unpacked.run(
      node,
      unpacked.asUnit('bmonitor-closed.service', ['/usr/lib/bmonitor/bin/close-network']),
    );
    expect(closed.stdout).to.include('closed by /usr/share/bmonitor/closed.nft');
    expect(await bed.console.ping(node.ipv4)).to.equal('silent');
    expect(await node.ping(bed.console.ipv4)).to.not.equal('answered');
  });

  it('closes it also when what it enforced last cannot be read', async () => {
    await mkdir(join(unpacked.state, 'bmonitor'), { recursive: true });
    const broken = join(unpacked.state, 'bmonitor/boot.nft');
    await writeFile(broken, 'table inet bmonitor { cha');
    const closed = await unpacked.run(node, ['/usr/lib/bmonitor/bin/close-network']);
    expect(closed.stdout).to.include('closed by /usr/share/bmonitor/closed.nft');
    expect(await bed.console.ping(node.ipv4)).to.equal('silent');
    await rm(broken);
  });

  const named = [
    '--landlord',
    '/var/lib/landlord.json',
    '--name',
    'node-1',
    '--key-bits',
    '2048',
    '--keys',
    'file',
  ];
  const landlordKnown = async (): Promise<void> => {
    const landlord = join(unpacked.state, 'landlord.json');
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: (await makePair(2048)).public.jwk };
    await writeFile(landlord, JSON.stringify(card));
  };

  it('opens nothing while BMonitor runs with a configuration that names no address', async () => {
    await landlordKnown();
    const folder = join(unpacked.state, 'bmonitor');
    const init = ['bmonitor', 'init', '--dir', '/var/lib/bmonitor', ...named];
    const made = await unpacked.run(node, [...init, '--listen', '0.0.0.0:7443']);
    expect(made.code, made.stderr).to.equal(0);
    await unpacked.run(node, ['/usr/lib/bmonitor/bin/close-network']);
    const running = unpacked.spawn(
      node,
      unpacked.asUnit('bmonitor.service', ['bmonitor', 'run', '--dir', '/var/lib/bmonitor']),
    );
    await running.says(/"event":"node.ready"/);
    expect(await bed.console.tryTcp({ to: node.ipv4, port: 7443 })).to.equal('silent');
    expect(await bed.console.ping(node.ipv4)).to.equal('silent');
    const said = await unpacked.run(node, ['bmonitor', 'status', '--dir', '/var/lib/bmonitor']);
    expect(said.stdout).to.include('NOT enforced (no addresses are configured)');
    await running.kill();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs the node with the rights that its unit leaves it, and stays closed when it is killed', async () => {
    await landlordKnown();
    const net = ['--interface', node.nic, '--address', node.ipv4, '--console', bed.console.ipv4];
    const init = ['bmonitor', 'init', '--dir', '/var/lib/bmonitor', ...named, ...net];
    const made = await unpacked.run(node, [...init, '--listen', `${node.ipv4}:7443`]);
    expect(made.code, made.stderr).to.equal(0);
    const running = unpacked.spawn(
      node,
      unpacked.asUnit('bmonitor.service', ['bmonitor', 'run', '--dir', '/var/lib/bmonitor']),
    );
    await running.says(/"event":"node.ready"/);
    expect(running.log).to.not.include('"level":"error"');
    expect(await bed.console.tryTcp({ to: node.ipv4, port: 7443 })).to.equal('answered');
    expect(await bed.place('other').tryTcp({ to: node.ipv4, port: 7443 })).to.equal('silent');
    await running.kill();
    expect(await bed.place('other').ping(node.ipv4)).to.equal('silent');
  });

  it('lets only the consoles of the configuration through from the next boot on', async () => {
    await booted();
    const closed = await unpacked.run(
      node,
      unpacked.asUnit('bmonitor-closed.service', ['/usr/lib/bmonitor/bin/close-network']),
    );
    expect(closed.stdout).to.include('closed by /var/lib/bmonitor/boot.nft');
    // Nobody listens there yet: the machine itself says so, but only to a console.
    expect(await bed.console.tryTcp({ to: node.ipv4, port: 7443 })).to.equal('refused');
    expect(await bed.console.tryTcp({ to: node.ipv4, port: 22 })).to.equal('silent');
    expect(await bed.place('other').tryTcp({ to: node.ipv4, port: 7443 })).to.equal('silent');
    expect(await bed.console.ping(node.ipv4)).to.equal('silent');
    expect(await node.ping(bed.console.ipv4)).to.not.equal('answered');
  });

  it('has in that file the consoles as they are when BMonitor starts', async () => {
    const config = join(unpacked.state, 'bmonitor/node.json');
    const before = JSON.parse(await readFile(config, 'utf8')) as Record<string, unknown>;
    await writeFile(config, JSON.stringify({ ...before, consoles: [bed.place('other').ipv4] }));
    const running = unpacked.spawn(
      node,
      unpacked.asUnit('bmonitor.service', ['bmonitor', 'run', '--dir', '/var/lib/bmonitor']),
    );
    await running.says(/"event":"node.ready"/);
    await running.kill();
    await booted();
    await unpacked.run(node, ['/usr/lib/bmonitor/bin/close-network']);
    expect(await bed.place('other').tryTcp({ to: node.ipv4, port: 7443 })).to.equal('refused');
    expect(await bed.console.tryTcp({ to: node.ipv4, port: 7443 })).to.equal('silent');
  });

  it('cannot be removed from a node, nor the node opened, but by saying so', async () => {
    const remove = ['sh', join(unpacked.control, 'prerm'), 'remove'];
    const refused = await unpacked.run(node, remove);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('bmonitor-open --yes-open-this-machine');
    expect((await unpacked.run(node, ['bmonitor-open'])).code).to.equal(2);
    expect(await bed.console.ping(node.ipv4)).to.equal('silent');
    const opened = await unpacked.run(node, ['bmonitor-open', '--yes-open-this-machine']);
    expect(opened.code, opened.stderr).to.equal(0);
    expect(await bed.console.ping(node.ipv4)).to.equal('answered');
    expect((await unpacked.run(node, remove)).code).to.equal(0);
  });
});
