import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { DirectoryName, DirectoryStore } from '../../../bmonitor/ports/directory-store.js';
import { Secret } from '../../../crypto/secret.js';
import { refusalIn, value } from '../../fakes/results.js';

export interface DirectoryRoom {
  /** A store over what is there, as a new start of the node would open it. */
  open(): DirectoryStore;
  /** Everything in the kernel is gone, as after the power was cut. */
  reboot(): Promise<void>;
  write(name: DirectoryName, file: string, content: string): Promise<void>;
  /** Undefined: nobody can read it. */
  read(name: DirectoryName, file: string): Promise<string | undefined>;
  /** Has a file of it open until what is returned is called. */
  hold(name: DirectoryName, file: string): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

const one = { lease: 'AAAAAAAAAAAAAAAAAAAAAA', epoch: 0 };
const next = { ...one, epoch: 1 };
const other = { lease: '-_BBBBBBBBBBBBBBBBBBBB', epoch: 0 };

/** What every store for directories must do. */
export function directoryStoreContract(name: string, makeRoom: () => Promise<DirectoryRoom>): void {
  describe(`the store for directories ${name}`, function () {
    this.timeout(120_000);
    let room: DirectoryRoom;
    let store: DirectoryStore;
    let key: Secret;
    beforeEach(async () => {
      room = await makeRoom();
      store = room.open();
      key = Secret.take(randomBytes(32));
    });
    afterEach(() => room.remove());

    async function filled(at: DirectoryName = one, under = key): Promise<void> {
      value(await store.open(at, under));
      await room.write(at, 'file', 'what the tenant wrote');
    }

    async function listed() {
      return [...value(await store.list())].sort((a, b) =>
        `${a.lease}${a.epoch}`.localeCompare(`${b.lease}${b.epoch}`),
      );
    }

    it('has none at first, and destroys none without a fault', async () => {
      expect(await listed()).to.deep.equal([]);
      value(await store.lock(one));
      value(await store.destroy(one));
      expect(await listed()).to.deep.equal([]);
    });

    it('makes a directory when it is first opened, and says that it is open', async () => {
      const first = value(await store.open(one, key));
      expect(await listed()).to.deep.equal([{ ...one, open: true }]);
      expect(value(await store.open(one, key))).to.equal(first);
      await room.write(one, 'file', 'hello');
      expect(await room.read(one, 'file')).to.equal('hello');
    });

    it('shows nothing of it once it is locked, and everything once it is opened again', async () => {
      await filled();
      value(await store.lock(one));
      expect(await room.read(one, 'file')).to.equal(undefined);
      expect(await listed()).to.deep.equal([{ ...one, open: false }]);
      value(await store.lock(one));
      value(await store.open(one, key));
      expect(await room.read(one, 'file')).to.equal('what the tenant wrote');
    });

    it('has it locked after the power was cut, and everything in it', async () => {
      await filled();
      value(await store.lock(one));
      value(await store.open(one, key));
      await room.reboot();
      store = room.open();
      expect(await listed()).to.deep.equal([{ ...one, open: false }]);
      value(await store.open(one, key));
      expect(await room.read(one, 'file')).to.equal('what the tenant wrote');
    });

    it('finds it open after only the node was started again', async () => {
      await filled();
      store = room.open();
      expect(await listed()).to.deep.equal([{ ...one, open: true }]);
      value(await store.open(one, key));
      expect(await room.read(one, 'file')).to.equal('what the tenant wrote');
    });

    it('opens it with no other key', async () => {
      await filled();
      value(await store.lock(one));
      const wrong = await store.open(one, Secret.take(randomBytes(32)));
      expect(refusalIn(wrong).code).to.equal('store-damaged');
      expect(await room.read(one, 'file')).to.equal(undefined);
      value(await store.open(one, key));
      expect(await room.read(one, 'file')).to.equal('what the tenant wrote');
    });

    it('leaves nothing of one that was destroyed, open or not, and another alone', async () => {
      await filled();
      await filled(other, Secret.take(randomBytes(32)));
      value(await store.destroy(one));
      expect(await listed()).to.deep.equal([{ ...other, open: true }]);
      expect(await room.read(other, 'file')).to.equal('what the tenant wrote');
      value(await store.lock(other));
      value(await store.destroy(other));
      expect(await listed()).to.deep.equal([]);
      value(await store.open(one, key));
      expect(await room.read(one, 'file')).to.equal(undefined);
    });

    it('refuses to close one in which somebody has a file open, and closes it when they let go', async () => {
      await filled();
      const release = await room.hold(one, 'file');
      expect(refusalIn(await store.lock(one)).code).to.equal('directory-busy');
      expect(refusalIn(await store.destroy(one)).code).to.equal('directory-busy');
      await release();
      value(await store.lock(one));
      expect(await listed()).to.deep.equal([{ ...one, open: false }]);
      value(await store.destroy(one));
      expect(await listed()).to.deep.equal([]);
    });

    it('copies everything to the next epoch, under its own key', async () => {
      await filled();
      await room.write(one, 'another', 'more');
      const second = Secret.take(randomBytes(32));
      value(await store.open(next, second));
      value(await store.copy(one, next));
      value(await store.destroy(one));
      await room.reboot();
      store = room.open();
      expect(await listed()).to.deep.equal([{ ...next, open: false }]);
      expect(refusalIn(await store.open(next, key)).code).to.equal('store-damaged');
      value(await store.open(next, second));
      expect(await room.read(next, 'file')).to.equal('what the tenant wrote');
      expect(await room.read(next, 'another')).to.equal('more');
    });
  });
}
