import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MachineFiles } from '../../../bmonitor/host/health/machine.js';
import { probeDisks } from '../../../bmonitor/host/health/probes.js';

/** A real file system on a loop device, which is filled to its last block. */
describe('the probe of a disk', function () {
  this.timeout(60_000);
  let dir = '';
  let mounted = '';
  const image = (): string => join(dir, 'disk');

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'bmonitor-disk-'));
    mounted = join(dir, 'mounted');
    mkdirSync(mounted);
    writeFileSync(image(), '');
    truncateSync(image(), 16 * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', image()]);
    execFileSync('mount', ['-o', 'loop', image(), mounted]);
  });
  after(() => {
    execFileSync('umount', ['--lazy', mounted]);
    rmSync(dir, { recursive: true, force: true });
  });

  async function read(): Promise<unknown> {
    const [tried] = await probeDisks({ files: new MachineFiles('/nowhere'), folder: mounted });
    return tried?.kind === 'check' ? tried.ok : tried?.kind;
  }

  it('is good while the bytes come back', async () => {
    expect(await read()).to.equal(true);
  });

  it('is bad when the device under the file system is full', async () => {
    expect(() => writeFileSync(join(mounted, 'filler'), Buffer.alloc(32 * 1024 * 1024))).to.throw('ENOSPC');
    expect(await read()).to.equal(false);
  });
});
