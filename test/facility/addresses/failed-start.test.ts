import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { Bed, distPath, until, type Place } from '../bed/index.js';

describe('a node that cannot start, because something else listens on its port', () => {
  let bed: Bed;
  let place: Place;
  let dir: string;
  const cli = [process.execPath, distPath('bmonitor/cli/index.js')];

  before(async () => {
    bed = await Bed.create({ nodes: ['node'] });
    place = bed.place('node');
    dir = join(await place.dir(), 'node');
    const landlord = join(await place.dir(), 'landlord.json');
    const card = { v: 1, kind: 'console-card', name: 'landlord', key: (await makePair(2048)).public.jwk };
    await writeFile(landlord, JSON.stringify(card));
    const named = ['--landlord', landlord, '--name', 'node-1', '--key-bits', '2048', '--keys', 'file'];
    const net = ['--listen', '0.0.0.0:7443', '--interface', place.nic, '--console', bed.console.ipv4];
    await place.must([...cli, 'init', '--dir', dir, ...named, ...net, '--address', `${place.ipv4}/16`]);
  });
  after(() => bed.remove());

  /** What of its helpers runs in the namespace. What holds the latch is meant to stay (decision 0020). */
  async function helpers(): Promise<readonly string[]> {
    const all = await place.must([
      'sh',
      '-c',
      'ps -o args= -p $(ip netns pids "$1" | tr "\\n" ,)1',
      'sh',
      place.namespace,
    ]);
    return all
      .split('\n')
      .filter((line) => /^(nft monitor|stdbuf|tcpdump|ip .*monitor|ip monitor|perl)/.test(line));
  }

  it('leaves none of its helpers behind, however often it is tried, and the filters in the kernel', async () => {
    const listener =
      'import socket,time; s=socket.socket(); s.bind(("", 7443)); s.listen(); print("taken", flush=True); time.sleep(600)';
    const other = place.spawn(['python3', '-c', listener]);
    await other.says(/taken/);
    for (let time = 0; time < 3; time += 1) {
      const { code, stderr } = await place.run([...cli, 'run', '--dir', dir]);
      expect([code, stderr.includes('7443')], stderr).to.deep.equal([1, true]);
    }
    await until(async () => (await helpers()).length === 0, { what: 'that its helpers end' });
    expect(await bed.console.ping(place.ipv4)).to.equal('silent');
    await other.kill();
    const node = place.spawn([...cli, 'run', '--dir', dir]);
    await node.says(/"event":"node.ready"/);
    expect(await helpers()).to.not.deep.equal([]);
  });
});
