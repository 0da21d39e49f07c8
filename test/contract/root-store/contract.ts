import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { signBy, verify } from '../../../crypto/jose.js';
import type { RootStore } from '../../../bmonitor/ports/root-store.js';
import { Secret } from '../../../crypto/secret.js';
import { value } from '../../fakes/results.js';

export interface RootStoreRoom {
  /** A store over what is kept, as a new start of the node would open it. */
  open(): RootStore;
  remove(): Promise<void>;
}

/** What every place for the root and G must do. */
export function rootStoreContract(name: string, makeRoom: () => Promise<RootStoreRoom>): void {
  describe(`the root store ${name}`, function () {
    this.timeout(120_000);
    let room: RootStoreRoom;
    beforeEach(async () => (room = await makeRoom()));
    afterEach(() => room.remove());

    it('has nothing before it was made, and says so', async () => {
      expect(await room.open().exists()).to.equal(false);
      expect((await room.open().load()).ok).to.equal(false);
    });

    it('gives after a new start what it made', async () => {
      const made = value(await room.open().create(2048));
      expect(made.root.length).to.equal(32);
      expect(made.g.length).to.equal(32);
      expect(made.root.equals(made.g)).to.equal(false);
      expect(await room.open().exists()).to.equal(true);
      const loaded = value(await room.open().load());
      expect(loaded.root.equals(made.root)).to.equal(true);
      expect(loaded.g.equals(made.g)).to.equal(true);
    });

    it('makes other secrets each time', async () => {
      const other = await makeRoom();
      try {
        const one = value(await room.open().create(2048));
        const two = value(await other.open().create(2048));
        expect(one.root.equals(two.root)).to.equal(false);
        expect(one.g.equals(two.g)).to.equal(false);
      } finally {
        await other.remove();
      }
    });

    it('signs with N as PS256 has it, after a new start too, and has another N when it is made again', async () => {
      const made = value(await room.open().create(2048));
      const loaded = value(await room.open().load());
      expect(loaded.identity.public.id).to.equal(made.identity.public.id);
      for (const { identity } of [made, loaded]) {
        const header = { typ: 'bm-receipt+jws', kid: identity.public.id };
        const jws = await signBy(identity, header, Buffer.from('what was done'));
        expect(Buffer.from((await verify(identity.public.key, jws)) ?? []).toString()).to.equal(
          'what was done',
        );
        const [head = '', , signature = ''] = jws.split('.');
        const other = `${head}.${Buffer.from('what was not').toString('base64url')}.${signature}`;
        expect(await verify(identity.public.key, other)).to.equal(undefined);
      }
      const again = await makeRoom();
      try {
        const next = value(await again.open().create(2048));
        expect(next.identity.public.id).to.not.equal(made.identity.public.id);
      } finally {
        await again.remove();
      }
    });

    it('keeps the newest G, and the root as it was', async () => {
      const store = room.open();
      const { root } = value(await store.create(2048));
      let newest = Secret.take(randomBytes(32));
      for (let time = 0; time < 4; time += 1) {
        newest = Secret.take(randomBytes(32));
        value(await store.replaceG(newest));
      }
      const loaded = value(await room.open().load());
      expect(loaded.g.equals(newest)).to.equal(true);
      expect(loaded.root.equals(root)).to.equal(true);
    });

    it('replaces G after a load too', async () => {
      value(await room.open().create(2048));
      const store = room.open();
      value(await store.load());
      const next = Secret.take(randomBytes(32));
      value(await store.replaceG(next));
      expect(value(await room.open().load()).g.equals(next)).to.equal(true);
    });
  });
}
