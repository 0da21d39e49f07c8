import { expect } from 'chai';
import type { Store, StoreOp } from '../../../bmonitor/ports/store.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function all(found: AsyncIterable<readonly [string, Uint8Array]>): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const [key, value] of found) lines.push(`${key}=${Buffer.from(value).toString()}`);
  return lines;
}

function put(key: string, value = key): StoreOp {
  return { type: 'put', key, value: bytes(value) };
}

/** What the node's store promises, whatever is behind it. */
export function storeContract(open: () => Promise<Store>): void {
  let store: Store;
  beforeEach(async () => (store = await open()));
  afterEach(() => store.close());

  it('knows nothing of a key that was never put', async () => {
    expect(await store.get('a')).to.equal(undefined);
    expect(await all(store.entries(''))).to.deep.equal([]);
  });

  it('keeps bytes to the letter, the empty value among them', async () => {
    const value = Uint8Array.from({ length: 256 }, (_, at) => at);
    await store.batch([
      { type: 'put', key: 'a', value },
      { type: 'put', key: 'b', value: new Uint8Array() },
    ]);
    expect(Buffer.from((await store.get('a')) ?? []).equals(value)).to.equal(true);
    expect((await store.get('b'))?.length).to.equal(0);
  });

  it('applies the operations of a batch in their order', async () => {
    await store.batch([
      put('a', '1'),
      { type: 'del', key: 'a' },
      put('b'),
      put('a', '2'),
      { type: 'del', key: 'b' },
    ]);
    expect(await all(store.entries(''))).to.deep.equal(['a=2']);
  });

  it('applies batches in the order in which they were handed over, without waiting for each', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, at) => store.batch([put('a', String(at)), put(`k${at}`)])),
    );
    expect(Buffer.from((await store.get('a')) ?? []).toString()).to.equal('49');
    expect(await all(store.entries('k'))).to.have.length(50);
  });

  it('takes over the bytes of a batch: what the caller does with them later changes nothing', async () => {
    const value = Buffer.from('before');
    const done = store.batch([{ type: 'put', key: 'a', value }]);
    await done;
    value.fill(0);
    expect(Buffer.from((await store.get('a')) ?? []).toString()).to.equal('before');
  });

  it('accepts a batch of nothing, and the removal of what is not there', async () => {
    await store.batch([]);
    await store.batch([{ type: 'del', key: 'a' }]);
    expect(await all(store.entries(''))).to.deep.equal([]);
  });

  describe('entries', () => {
    beforeEach(() => store.batch(['b/2', 'a/1', 'b/10', 'b/1', 'b', 'c/1', 'b0'].map((key) => put(key))));

    it('are those with the prefix, in the order of their bytes', async () => {
      expect(await all(store.entries('b/'))).to.deep.equal(['b/1=b/1', 'b/10=b/10', 'b/2=b/2']);
      expect(await all(store.entries('b'))).to.have.length(5);
      expect(await all(store.entries('d'))).to.deep.equal([]);
    });

    it('come the other way round', async () => {
      expect(await all(store.entries('b/', { reverse: true }))).to.deep.equal([
        'b/2=b/2',
        'b/10=b/10',
        'b/1=b/1',
      ]);
    });

    it('go on after a key, in either direction, whether that key is there or not', async () => {
      expect(await all(store.entries('b/', { after: 'b/1' }))).to.deep.equal(['b/10=b/10', 'b/2=b/2']);
      expect(await all(store.entries('b/', { after: 'b/11' }))).to.deep.equal(['b/2=b/2']);
      expect(await all(store.entries('b/', { after: 'b/2' }))).to.deep.equal([]);
      expect(await all(store.entries('b/', { after: 'b/2', reverse: true }))).to.deep.equal([
        'b/10=b/10',
        'b/1=b/1',
      ]);
    });

    it('stay within the prefix when the key to go on after lies outside of it', async () => {
      expect(await all(store.entries('b/', { after: 'a' }))).to.have.length(3);
      expect(await all(store.entries('b/', { after: 'c' }))).to.have.length(0);
      expect(await all(store.entries('b/', { after: 'c', reverse: true }))).to.have.length(3);
      expect(await all(store.entries('b/', { after: 'a', reverse: true }))).to.have.length(0);
    });

    it('stop at the limit', async () => {
      expect(await all(store.entries('b/', { limit: 2 }))).to.deep.equal(['b/1=b/1', 'b/10=b/10']);
      expect(await all(store.entries('b/', { limit: 1, reverse: true }))).to.deep.equal(['b/2=b/2']);
      expect(await all(store.entries('b/', { limit: 1, after: 'b/1' }))).to.deep.equal(['b/10=b/10']);
    });

    it('hold to the prefix at its very edges: characters of every width right behind it are in, the next prefix is out', async () => {
      const keys = ['p/', 'p/\u0000', 'p/~', 'p/ÿ', 'p/\uffff', 'p/\u{10ffff}', 'p0', 'p.'];
      await store.batch(keys.map((key) => put(key, 'x')));
      const inside = ['p/', 'p/\u0000', 'p/~', 'p/ÿ', 'p/\uffff', 'p/\u{10ffff}'].map((key) => `${key}=x`);
      expect(await all(store.entries('p/'))).to.deep.equal(inside);
      expect(await all(store.entries('p/', { reverse: true }))).to.deep.equal([...inside].reverse());
    });

    it('do not change while they are read', async () => {
      const seen: string[] = [];
      for await (const [key] of store.entries('b/')) {
        seen.push(key);
        await store.batch([{ type: 'del', key: 'b/2' }, put(`b/9${seen.length}`)]);
      }
      expect(seen).to.deep.equal(['b/1', 'b/10', 'b/2']);
    });
  });

  it('lets what was handed over finish when it is closed, and takes nothing after', async () => {
    const other = await open();
    const done = other.batch([put('z')]);
    await other.close();
    await done;
    let refused = false;
    await other.batch([put('y')]).catch(() => (refused = true));
    expect(refused).to.equal(true);
  });
}
