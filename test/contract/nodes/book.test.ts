import { expect } from 'chai';
import { NodeBook } from '../../../console/nodes/book.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { silentLog } from '../../../protocol/log.js';
import { limits } from '../../../protocol/limits.js';
import type { NodeCard } from '../../../protocol/node-card.js';
import { newId } from '../../../protocol/request.js';
import { refuse } from '../../../protocol/result.js';
import { MemoryStore } from '../../fakes/memory-store.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

/** So many that to dial all of them at the allowed pace takes twice as long as to dial one. */
const many = (2 * limits.dials_per_s_max * limits.dial_spread_ms_max) / 1000;

describe('the nodes of a console that starts', () => {
  let own: Pair;
  let other: Pair;
  let book: NodeBook;
  const dialled: string[] = [];
  before(async () => {
    [own, other] = [await makePair(2048), await makePair(2048)];
    const store = new MemoryStore();
    const ops = Array.from({ length: many }, (_, at) => {
      const name = `old-${String(at).padStart(5, '0')}`;
      return {
        type: 'put' as const,
        key: `node/${name}`,
        value: Buffer.from(JSON.stringify(card(name, own))),
      };
    });
    value(await store.write(ops));
    book = new NodeBook({
      store,
      pair: own,
      clocks: { wall: () => Date.now(), steady: () => performance.now() },
      // Whoever is unlucky waits as long as anybody may.
      chance: () => 0.999,
      patience: { answer_ms: 1000, late_ms: 60_000, unknown_ms: 120_000 },
      ask_ms: 60_000,
      log: silentLog,
      ownWays: [],
      connect: (way) => {
        dialled.push(way.url);
        return Promise.resolve(refuse('unreachable', 'nobody is there'));
      },
    });
  });
  after(() => book.close());

  const card = (name: string, pair: Pair): NodeCard => ({
    v: 1,
    kind: 'node-card',
    name,
    identity: pair.public.jwk,
    keyStore: 'file',
    level: 0,
    lease: newId(),
    key: pair.public.jwk,
    ways: [{ via: 'direct', url: `wss://${name}.test:1` }],
  });

  it('are dialled no faster than those that were away, and one that is added then waits for none of them', async () => {
    value(await book.open());
    value(await book.add(card('new', other)));
    await until(() => dialled.length > 0);
    expect(dialled[0]).to.equal('wss://new.test:1');
    await until(() => new Set(dialled).size === many + 1);
  });
});
