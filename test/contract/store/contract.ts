import { expect } from 'chai';
import * as fc from 'fast-check';
import { takeOwnership } from '../../../console/store/ownership.js';
import type { Change, KeyStore } from '../../../console/store/port.js';
import { limits } from '../../../protocol/limits.js';
import { MemoryStore } from '../../fakes/memory-store.js';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

const put = (key: string, value: string) => ({ type: 'put', key, value: bytes(value) }) as const;
const del = (key: string) => ({ type: 'delete', key }) as const;

async function must(write: ReturnType<KeyStore['write']>): Promise<number> {
  const result = await write;
  if (!result.ok) throw new Error(result.refusal.code);
  return result.value;
}

async function refusal(write: Promise<{ ok: boolean }>): Promise<string> {
  const result = (await write) as Awaited<ReturnType<KeyStore['write']>>;
  return result.ok ? 'done' : result.refusal.code;
}

/** What every implementation of KeyStore must do, the fake included. */
export function storeContract(open: () => Promise<KeyStore>): void {
  let store: KeyStore;
  beforeEach(async () => void (store = await open()));
  afterEach(async () => store.close());

  it('gives back what was put, with the revision of that write', async () => {
    const revision = await must(store.write([put('a', '1')]));
    const entry = await store.get('a');
    expect(text(entry?.value)).to.equal('1');
    expect(entry?.revision).to.equal(revision);
    expect(await store.get('b')).to.equal(undefined);
  });

  it('orders keys by their UTF-8 bytes, both ways, within the prefix only', async () => {
    const keys = ['p/', 'p/a', 'p/ab', 'p/\u{1F600}', 'p/\uFFFD', 'p0', 'o/z'];
    await must(store.write(keys.map((key) => put(key, key))));
    const forth = (await store.range({ prefix: 'p/' })).entries.map((entry) => entry.key);
    expect(forth).to.deep.equal(['p/', 'p/a', 'p/ab', 'p/\uFFFD', 'p/\u{1F600}']);
    const back = (await store.range({ prefix: 'p/', reverse: true })).entries.map((entry) => entry.key);
    expect(back).to.deep.equal(forth.toReversed());
  });

  it('reads in pages that meet without a gap or a repetition', async () => {
    await must(
      store.write(Array.from({ length: 25 }, (_, i) => put(`n/${String(i).padStart(2, '0')}`, 'x'))),
    );
    for (const reverse of [false, true]) {
      const seen: string[] = [];
      let after: string | undefined;
      for (;;) {
        const page = await store.range({ prefix: 'n/', limit: 7, reverse, ...(after ? { after } : {}) });
        seen.push(...page.entries.map((entry) => entry.key));
        after = seen.at(-1);
        if (!page.more) break;
      }
      expect(seen.length).to.equal(25);
      expect(new Set(seen).size).to.equal(25);
    }
  });

  it('applies a write whole or not at all when a condition does not hold', async () => {
    const first = await must(store.write([put('a', '1'), put('b', '1')]));
    const conflict = store.write([put('a', '2'), del('b')], [{ key: 'a', revision: first + 1 }]);
    expect(await refusal(conflict)).to.equal('store-conflict');
    expect(text((await store.get('a'))?.value)).to.equal('1');
    expect(text((await store.get('b'))?.value)).to.equal('1');
    expect(await refusal(store.write([put('a', '2')], [{ key: 'a', revision: first }]))).to.equal('done');
  });

  it('takes revision 0 in a condition for "must not exist"', async () => {
    expect(await refusal(store.write([put('a', '1')], [{ key: 'a', revision: 0 }]))).to.equal('done');
    expect(await refusal(store.write([put('a', '2')], [{ key: 'a', revision: 0 }]))).to.equal(
      'store-conflict',
    );
    await must(store.write([del('a')]));
    expect(await refusal(store.write([put('a', '3')], [{ key: 'a', revision: 0 }]))).to.equal('done');
  });

  it('lets exactly one of many concurrent conditional writes win', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        refusal(store.write([put('a', String(i))], [{ key: 'a', revision: 0 }])),
      ),
    );
    expect(all.filter((answer) => answer === 'done').length).to.equal(1);
  });

  it('judges each of many writes at once on what those before it left, and numbers each', async () => {
    const first = await must(store.write([put('a', '0')]));
    const answers = await Promise.all([
      store.write([put('a', '1')], [{ key: 'a', revision: first }]),
      store.write([put('a', 'stale')], [{ key: 'a', revision: first }]),
      store.write([put('a', '2'), put('b', '1')], [{ key: 'a', revision: first + 1 }]),
      store.write([put('b', 'there')], [{ key: 'b', revision: 0 }]),
      store.write([del('b')], [{ key: 'b', revision: first + 2 }]),
      store.write([put('b', 'new')], [{ key: 'b', revision: 0 }]),
    ]);
    const said = answers.map((answer) => (answer.ok ? answer.value - first : answer.refusal.code));
    expect(said).to.deep.equal([1, 'store-conflict', 2, 'store-conflict', 3, 4]);
    expect(text((await store.get('a'))?.value)).to.equal('2');
    expect(text((await store.get('b'))?.value)).to.equal('new');
    expect((await store.get('b'))?.revision).to.equal(first + 4);
  });

  it('tells a watcher writes that came at once one by one, each with its own revision', async () => {
    const { revision } = await store.range({ prefix: '' });
    const seen: (readonly [string, number])[] = [];
    const watch = await store.watch('', revision, {
      changes: (changes) => {
        for (const one of changes) if (one.type === 'put') seen.push([one.entry.key, one.entry.revision]);
      },
      lost: () => {},
    });
    if (!watch.ok) throw new Error(watch.refusal.code);
    await Promise.all(['a', 'b', 'c'].map(async (key) => must(store.write([put(key, 'x')]))));
    expect(seen).to.deep.equal([
      ['a', revision + 1],
      ['b', revision + 2],
      ['c', revision + 3],
    ]);
    watch.value();
  });

  it('refuses an empty or over-long key, a key twice in one write, and too large a write', async () => {
    expect(await refusal(store.write([put('', 'x')]))).to.equal('bad-input');
    expect(await refusal(store.write([put('k'.repeat(limits.store_key_bytes_max + 1), 'x')]))).to.equal(
      'bad-input',
    );
    expect(await refusal(store.write([put('a', 'x'), del('a')]))).to.equal('bad-input');
    const large = new Uint8Array(limits.store_write_bytes_max + 1);
    expect(await refusal(store.write([{ type: 'put', key: 'a', value: large }]))).to.equal('too-large');
    expect((await store.range({ prefix: '' })).entries).to.deep.equal([]);
  });

  it('tells a watcher every write under its prefix after the revision it names, once and in order', async () => {
    await must(store.write([put('a/1', 'old')]));
    const { revision } = await store.range({ prefix: 'a/' });
    await must(store.write([put('a/2', 'between'), put('b/1', 'other')]));
    const seen: string[] = [];
    const note = (changes: readonly Change[]): void => {
      seen.push(changes.map((c) => (c.type === 'put' ? `+${c.entry.key}` : `-${c.key}`)).join(' '));
    };
    const watch = await store.watch('a/', revision, { changes: note, lost: () => seen.push('lost') });
    if (!watch.ok) throw new Error(watch.refusal.code);
    await must(store.write([del('a/1'), put('a/3', 'x')]));
    await must(store.write([put('b/2', 'other')]));
    watch.value();
    await must(store.write([put('a/4', 'unseen')]));
    expect(seen).to.deep.equal(['+a/2', '-a/1 +a/3']);
  });

  it('tells a watcher that the store was closed under it', async () => {
    const own = await open();
    let lost = 0;
    const before = (await own.range({ prefix: '' })).revision;
    await own.watch('', before, { changes: () => {}, lost: () => void lost++ });
    await own.close();
    expect(lost).to.equal(1);
  });

  it('refuses a watch from a revision it no longer remembers', async () => {
    for (let i = 0; i <= limits.store_watch_writes_max; i += 1000)
      await Promise.all(Array.from({ length: 1000 }, () => store.write([put('a', 'x')])));
    const watch = await store.watch('a', 0, { changes: () => {}, lost: () => {} });
    expect(watch.ok ? 'done' : watch.refusal.code).to.equal('store-compacted');
  }).timeout(120_000);

  it('does the same as a sorted list, for any sequence of writes', async () => {
    const key = fc.constantFrom('a', 'a/b', 'a/c', 'b', '\u{1F600}', '\uFFFD');
    const op = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 4 }) }),
      fc.record({ type: fc.constant('delete' as const), key }),
    );
    const condition = fc.record({ key, revision: fc.nat(5) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(op, { maxLength: 3 }), fc.array(condition, { maxLength: 1 })), {
          maxLength: 8,
        }),
        async (writes) => {
          const mine = await open();
          const model = new MemoryStore();
          try {
            for (const [ops, conditions] of writes)
              expect(await refusal(mine.write(ops, conditions))).to.equal(
                await refusal(model.write(ops, conditions)),
              );
            const plain = async (s: KeyStore): Promise<unknown> =>
              (await s.range({ prefix: '' })).entries.map((e) => [e.key, [...e.value], e.revision]);
            expect(await plain(mine)).to.deep.equal(await plain(model));
          } finally {
            await mine.close();
          }
        },
      ),
      { numRuns: 40 },
    );
  }).timeout(60_000);

  describe('ownership', () => {
    const term = (holder: string, until: number) => ({ holder, until });

    it('goes to one holder until its time has passed, with a growing token', async () => {
      const first = await takeOwnership(store, 'watch', term('one', 1000), 0);
      if (!first.ok) throw new Error(first.refusal.code);
      expect(await refusal(takeOwnership(store, 'watch', term('two', 1500), 500))).to.equal(
        'owned-by-another',
      );
      const second = await takeOwnership(store, 'watch', term('two', 2001), 1001);
      if (!second.ok) throw new Error(second.refusal.code);
      expect(second.value.token).to.be.greaterThan(first.value.token);
    });

    it('fences off the writes of a former owner, whatever its clock says', async () => {
      const first = await takeOwnership(store, 'watch', term('one', 1000), 0);
      const second = await takeOwnership(store, 'watch', term('two', 2001), 1001);
      if (!first.ok || !second.ok) throw new Error('not taken');
      const late = store.write([put('a', 'late')], [first.value.condition]);
      expect(await refusal(late)).to.equal('store-conflict');
      expect(await refusal(first.value.renew(10))).to.equal('owned-by-another');
      expect(await refusal(first.value.release())).to.equal('owned-by-another');
      expect(await refusal(store.write([put('a', 'good')], [second.value.condition]))).to.equal('done');
    });

    it('is renewed, and free again once released', async () => {
      const first = await takeOwnership(store, 'watch', term('one', 1000), 0);
      if (!first.ok) throw new Error(first.refusal.code);
      expect(await refusal(first.value.renew(900))).to.equal('done');
      expect(await refusal(takeOwnership(store, 'watch', term('two', 2500), 1500))).to.equal(
        'owned-by-another',
      );
      expect(await refusal(first.value.release())).to.equal('done');
      expect(await refusal(takeOwnership(store, 'watch', term('two', 2500), 1500))).to.equal('done');
    });

    it('goes to exactly one of two that try at once', async () => {
      const both = await Promise.all([
        refusal(takeOwnership(store, 'watch', term('one', 1000), 0)),
        refusal(takeOwnership(store, 'watch', term('two', 1000), 0)),
      ]);
      expect(both.sort()).to.deep.equal(['done', 'owned-by-another']);
    });
  });
}
