import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  link,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { lackingForDirectories, openDirectoryStore } from '../../../bmonitor/host/data/detect.js';
import { ImageStore } from '../../../bmonitor/host/data/image-store.js';
import type { DirectoryName } from '../../../bmonitor/ports/directory-store.js';
import { newKey } from '../../../bmonitor/keys/ring.js';
import { refusalIn, value } from '../../fakes/results.js';
import { directoryStoreContract } from './contract.js';

const run = promisify(execFile);
const bytes = 32 * 1024 * 1024;

export async function imageRoom() {
  const folder = await mkdtemp(join(tmpdir(), 'bmonitor-data-'));
  const at = ({ lease, epoch }: DirectoryName, file: string) =>
    join(folder, `${lease}.${epoch}`, 'data', file);
  const unmountAll = async (): Promise<void> => {
    for (const name of await readdir(folder))
      if (!name.endsWith('.img')) await run('umount', [join(folder, name)]).catch(() => {});
  };
  return {
    folder,
    at,
    open: (size = bytes) => new ImageStore(folder, size),
    unmountAll,
    // Another test may hold a copy of our mounts in a namespace of its own, which a real start of the machine leaves nowhere.
    async reboot() {
      const store = new ImageStore(folder, bytes);
      for (const kept of value(await store.list())) value(await store.lock(kept));
    },
    write: (name: DirectoryName, file: string, content: string) => writeFile(at(name, file), content),
    read: (name: DirectoryName, file: string) => readFile(at(name, file), 'utf8').catch(() => undefined),
    async hold(name: DirectoryName, file: string) {
      const held = await open(at(name, file), 'r');
      return () => held.close();
    },
    async remove() {
      await unmountAll();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const name = { lease: 'CCCCCCCCCCCCCCCCCCCCCC', epoch: 0 };

describe('this machine', () => {
  it('can encrypt directories, or says what it lacks', async function () {
    const lacking = await lackingForDirectories();
    expect(lacking, 'run as root on a kernel with ext4 encryption').to.deep.equal([]);
  });
});

describe('volumes of LUKS', () => {
  it('are taken where there is a driver for them, not where only its device has a name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bmonitor-luks-'));
    const store = await openDirectoryStore(folder, bytes, 'luks');
    await rm(folder, { recursive: true });
    const driver = / device-mapper$/m.test(await readFile('/proc/misc', 'utf8'));
    expect(store.ok).to.equal(driver);
    if (!store.ok) expect(refusalIn(store)).to.include({ code: 'data-no-store' });
  });
});

directoryStoreContract('in images under the kernel’s file encryption', imageRoom);

describe('the store for directories in images', function () {
  this.timeout(120_000);
  let room: Awaited<ReturnType<typeof imageRoom>>;
  beforeEach(async () => (room = await imageRoom()));
  afterEach(() => room.remove());

  it('puts neither content nor names on the disk, before nor after it was destroyed', async () => {
    const store = room.open();
    value(await store.open(name, newKey()));
    const secret = 'a-secret-of-the-tenant-'.repeat(500);
    await room.write(name, 'name-of-a-file-of-the-tenant', secret);
    await run('sync', ['-f', room.at(name, '.')]);
    const image = join(room.folder, `${name.lease}.0.img`);
    const searched = await readFile(image);
    expect(searched.includes('a-secret-of-the-tenant')).to.equal(false);
    expect(searched.includes('name-of-a-file-of-the-tenant')).to.equal(false);
    value(await store.destroy(name));
    expect(await readdir(room.folder)).to.deep.equal([]);
  });

  it('sets aside what a lease may use, and a lease that fills it takes nothing from others', async () => {
    const store = room.open();
    value(await store.open(name, newKey()));
    const { blocks } = await stat(join(room.folder, `${name.lease}.0.img`));
    expect(blocks * 512).to.be.at.least(bytes);
    const full = await room.write(name, 'big', 'x'.repeat(bytes)).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(full).to.equal('ENOSPC');
  });

  it('refuses clearly when there is no room to set aside, and leaves nothing', async () => {
    const refused = await room.open(2 ** 49).open(name, newKey());
    expect(refusalIn(refused).code).to.equal('data-no-space');
    expect(await readdir(room.folder)).to.deep.equal([]);
  });

  it('clears away what was left of a directory that was not made whole', async () => {
    await writeFile(join(room.folder, `${name.lease}.0.img.new`), 'half');
    expect(value(await room.open().list())).to.deep.equal([]);
    expect(await readdir(room.folder)).to.deep.equal([]);
  });

  it('leaves alone what it is just making, whoever lists meanwhile', async () => {
    const store = room.open();
    const its = { made: false };
    const opened = store.open(name, newKey()).finally(() => (its.made = true));
    while (!its.made) value(await store.list());
    value(await opened);
    expect(value(await store.list())).to.deep.equal([{ ...name, open: true }]);
  });

  it('refuses an image in which somebody put files in the clear', async () => {
    const store = room.open();
    value(await store.open(name, newKey()));
    value(await store.lock(name));
    await run('mkdir', [join(room.folder, `${name.lease}.0`)]);
    const mount = join(room.folder, `${name.lease}.0`);
    await run('mount', ['-o', 'loop', join(room.folder, `${name.lease}.0.img`), mount]);
    await run('rm', ['-rf', join(mount, 'data')]);
    await run('mkdir', [join(mount, 'data')]);
    await writeFile(join(mount, 'data', 'planted'), 'in the clear');
    expect(refusalIn(await store.open(name, newKey())).code).to.equal('store-damaged');
  });

  it('takes the key also from one that only others have mounted, as after the service was started anew', async () => {
    const store = room.open();
    const key = newKey();
    value(await store.open(name, key));
    await room.write(name, 'file', 'what the tenant wrote');
    const elsewhere = spawn('unshare', ['-m', '--propagation', 'private', 'cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    try {
      // It answers once it has its own mounts.
      elsewhere.stdin.write('ready');
      await once(elsewhere.stdout, 'data');
      await room.unmountAll();
      const read = () =>
        run('nsenter', ['-t', String(elsewhere.pid), '-m', 'cat', room.at(name, 'file')]).then(
          ({ stdout }) => stdout,
          () => undefined,
        );
      expect(await read()).to.equal('what the tenant wrote');
      expect(value(await store.list())).to.deep.equal([{ ...name, open: true }]);
      value(await store.open(name, key));
      expect(await room.read(name, 'file')).to.equal('what the tenant wrote');
      await room.unmountAll();
      value(await store.lock(name));
      expect(await read()).to.equal(undefined);
    } finally {
      elsewhere.kill();
      await once(elsewhere, 'exit');
    }
  });

  it('copies files as they are: owner, rights, links, holes', async () => {
    const store = room.open();
    const next = { ...name, epoch: 1 };
    value(await store.open(name, newKey()));
    await room.write(name, 'private', 'of another user');
    await run('chmod', ['4600', room.at(name, 'private')]);
    await run('chown', ['12345:23456', room.at(name, 'private')]);
    await link(room.at(name, 'private'), room.at(name, 'the same'));
    await symlink('private', room.at(name, 'link'));
    await run('truncate', ['-s', '20M', room.at(name, 'hole')]);
    value(await store.open(next, newKey()));
    value(await store.copy(name, next));
    const [copied, same] = await Promise.all([
      stat(room.at(next, 'private')),
      stat(room.at(next, 'the same')),
    ]);
    const before = await stat(room.at(name, 'private'));
    for (const what of ['uid', 'gid', 'mode', 'nlink', 'mtimeMs'] as const)
      expect(copied[what], what).to.equal(before[what]);
    expect(same.ino).to.equal(copied.ino);
    expect(await readlink(room.at(next, 'link'))).to.equal('private');
    const hole = await stat(room.at(next, 'hole'));
    expect(hole.size).to.equal(20 * 1024 * 1024);
    expect(hole.blocks).to.be.lessThan(100);
  });

  it('uses one device for one file, however often it is mounted', async () => {
    const store = room.open();
    value(await store.open(name, newKey()));
    const { stdout } = await run('losetup', [
      '-n',
      '-O',
      'NAME',
      '-j',
      join(room.folder, `${name.lease}.0.img`),
    ]);
    expect(stdout.trim().split('\n')).to.have.length(1);
    value(await store.lock(name));
    const left = await run('losetup', ['-n', '-O', 'NAME', '-j', join(room.folder, `${name.lease}.0.img`)]);
    expect(left.stdout.trim()).to.equal('');
  });
});
