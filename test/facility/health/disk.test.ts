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

  it('is bad while the file system may not be written, as the kernel leaves it after faults', async () => {
    execFileSync('mount', ['-o', 'remount,ro', mounted]);
    expect(await read()).to.equal(false);
    execFileSync('mount', ['-o', 'remount,rw', mounted]);
    expect(await read()).to.equal(true);
  });

  it('is bad when the device under the file system is full', async () => {
    expect(() => writeFileSync(join(mounted, 'filler'), Buffer.alloc(32 * 1024 * 1024))).to.throw('ENOSPC');
    expect(await read()).to.equal(false);
  });
});

/** A loop device whose every further write fails below the file system: its image lies in a memory that is full. */
describe('the probe of a disk that fails', function () {
  this.timeout(60_000);
  let dir = '';
  const at = (name: string): string => join(dir, name);

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'bmonitor-failing-'));
    for (const name of ['memory', 'mounted']) mkdirSync(at(name));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', at('memory')]);
    writeFileSync(at('memory/disk'), '');
    truncateSync(at('memory/disk'), 32 * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', at('memory/disk')]);
    execFileSync('mount', ['-o', 'loop', at('memory/disk'), at('mounted')]);
  });
  after(() => {
    for (const name of ['mounted', 'memory']) execFileSync('umount', ['--lazy', at(name)]);
    rmSync(dir, { recursive: true, force: true });
  });

  it('is bad when the device takes no more writes, though the file system has room', async () => {
    const tried = async (): Promise<readonly unknown[]> => {
      const [one] = await probeDisks({ files: new MachineFiles('/nowhere'), folder: at('mounted') });
      return one?.kind === 'check' ? [one.ok, one.said] : [one?.kind];
    };
    // Blocks that were written before have their place in the image: what is full takes them again.
    expect(() => writeFileSync(at('memory/filler'), Buffer.alloc(16 * 1024 * 1024))).to.throw('ENOSPC');
    const [ok, said] = await tried();
    expect(ok, String(said)).to.equal(false);
  });
});
