import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { Bed, distPath, until, type BedProcess, type Place } from '../bed/index.js';
import { addressesOf } from './client-under-test.js';
import { udhcpc } from './udhcpc.js';

describe('console-cluster gives addresses as a part of its daemon', () => {
  let bed: Bed;
  let node: Place;
  let other: Place;
  let dir: string;
  let daemon: BedProcess;
  const program = [process.execPath, distPath('console-cluster/cli/index.js')];

  const must = async (...args: readonly string[]): Promise<string> =>
    bed.console.must([...program, '--dir', dir, ...args]);

  async function start(): Promise<void> {
    const passphrase = join(dir, '..', 'passphrase');
    daemon = bed.console.spawn([...program, '--dir', dir, 'run', '--passphrase-file', passphrase]);
    await daemon.says(/"event":"dhcp\.serving"/);
    await daemon.says(/"event":"listening"/);
  }

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'], addressed: false });
    [node, other] = [bed.place('node'), bed.place('other')];
    const folder = await bed.console.dir();
    dir = join(folder, 'console');
    await writeFile(join(folder, 'passphrase'), 'four random words\n', { mode: 0o600 });
    const at = ['--gateway', bed.console.ipv4, '--dhcp-interface', bed.console.nic];
    const key = ['--key-bits', '2048', '--passphrase-file', join(folder, 'passphrase')];
    await must('init', '--name', 'facility', '--api-port', '0', ...at, ...key);
    await start();
    const range = ['--first', '10.77.0.100', '--last', '10.77.0.109', '--lease', '600'];
    await must('dhcp', 'pool', 'default', '--network', '10.77.0.0/24', ...range, '--router', '10.77.0.1');
  });
  after(() => bed.remove());

  it('to nobody that it does not know, and lists who asked', async () => {
    expect(await udhcpc(other)).to.equal('');
    expect(await must('dhcp', 'waiting')).to.include(other.mac);
  });

  it('to a machine that was admitted, as udhcpc sees it, and the one that is fixed for it', async () => {
    await must('dhcp', 'admit', other.mac, 'web-2');
    expect(await must('dhcp', 'waiting')).to.not.include(other.mac);
    expect(await udhcpc(other)).to.equal('10.77.0.100');
    await must('dhcp', 'fix', 'web-2', '10.77.0.200');
    expect(await udhcpc(other)).to.equal('10.77.0.200');
    expect(await must('dhcp', 'leases')).to.match(/10\.77\.0\.200 .*web-2 .*fixed/);
  });

  it('the same after it was killed and started again', async () => {
    await daemon.kill();
    await start();
    expect(await udhcpc(other)).to.equal('10.77.0.200');
  });

  it('and with it where to be adopted, which our own client finds by itself', async () => {
    await must('dhcp', 'admit', node.mac, 'web-1');
    await node.must(['ip', 'link', 'set', node.nic, 'up']);
    const folder = join(await node.dir(), 'node');
    const cli = [process.execPath, distPath('bmonitor/cli/index.js')];
    const named = ['--name', 'web-1', '--key-bits', '2048', '--keys', 'file', '--listen', '0.0.0.0:7443'];
    const pair = node.spawn([...cli, 'pair', '--dir', folder, '--interface', node.nic, '--dhcp', ...named]);
    await pair.says(/waiting at wss:/);
    const [address = ''] = await addressesOf(node);
    expect(address).to.match(/^10\.77\.0\.10\d\/24$/);
    await until(async () => (await must('adoption', 'list')).includes(address.split('/')[0] ?? ''));
    const accept = bed.console.spawn([...program, '--dir', dir, 'adoption', 'accept', 'web-1']);
    const [, shown = ''] = await pair.says(/code of this machine: +(\d{4} \d{4})/);
    const [, wanted = ''] = await accept.says(/type this at the machine: +(\d{4} \d{4})/);
    accept.write(`${shown}\n`);
    pair.write(`${wanted}\n`);
    await accept.says(/web-1 is adopted/);
    await pair.says(/is now node web-1/);
  });
});
