import { expect } from 'chai';
import * as fc from 'fast-check';
import { decided } from '../../../../bmonitor/node/decision.js';
import { EventLog } from '../../../../bmonitor/node/events.js';
import {
  historyBytes,
  historyWarning,
  trimmedTo,
  withEntry,
} from '../../../../bmonitor/node/history-room.js';
import { emptyHistory, type HistoryMark, type NodeState } from '../../../../bmonitor/node/state.js';
import type { Store, StoreOp } from '../../../../bmonitor/ports/store.js';
import { limits } from '../../../../protocol/limits.js';
import type { Running } from '../../../fakes/machine/machine.js';
import { member } from '../../../fakes/machine/principals.js';
import { asked, give, leaseAt, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

describe('the room that a history may take', () => {
  it('is counted at least as it is, and by less than a piece and an entry too much after a trimming', () => {
    const entries = fc.array(fc.integer({ min: 1, max: limits.history_piece_bytes * 2 }), { maxLength: 60 });
    fc.assert(
      fc.property(entries, fc.nat(70), (sizes, cut) => {
        let mark: HistoryMark = emptyHistory;
        for (const [at, bytes] of sizes.entries()) mark = { ...mark, pieces: withEntry(mark, at + 1, bytes) };
        const trimmed = trimmedTo(mark, cut);
        const really = sizes.slice(Math.max(0, cut - 1)).reduce((sum, one) => sum + one, 0);
        expect(historyBytes(trimmed)).to.be.at.least(really);
        expect(historyBytes(trimmed)).to.be.below(really + limits.history_piece_bytes * 2);
        if (cut > sizes.length) expect(historyBytes(trimmed)).to.equal(0);
      }),
    );
  });

  it('is full at its limit: then a change is refused with what to do, until a trimming has made room', async () => {
    const running = await (await world('tenant')).startWell();
    await fillTo(running, 1, limits.history_bytes_max - 1);
    value(await give(running, asked('tenant.administrator', enrol('tenant.one'))));
    const head = running.core.state.levels[1]?.history.head;
    const refused = refusalIn(await give(running, asked('tenant.administrator', enrol('tenant.two'))));
    expect(refused.code).to.equal('history-full');
    expect(refused.data).to.deep.include({ level: 1, most: limits.history_bytes_max, head });
    const { seq, digest } = head ?? { seq: 0, digest: '' };
    const trim = asked('tenant.administrator', { type: 'history.trim', before: seq + 1, head: digest });
    expect(value(await give(running, trim)).result).to.deep.equal({ first: seq + 1 });
    value(await give(running, asked('tenant.administrator', enrol('tenant.two'))));
    // What is kept follows the entry that the trimming named.
    const { journal, core } = running;
    const [line] = await journal.history(leaseAt(core.state, 1), seq + 1, 1, seq + 1);
    expect(JSON.parse(line ?? '{}')).to.include({ seq: seq + 1, previous: digest, command: 'history.trim' });
  });

  it('ends sooner for the levels below than for the level itself, which can still command', async () => {
    const running = await (await world('tenant')).startWell();
    await fillTo(running, 0, limits.history_for_lower_bytes_max);
    const refused = refusalIn(await give(running, asked('tenant.administrator', enrol('tenant.one'))));
    expect(refused.code).to.equal('history-full');
    expect(refused.data).to.deep.include({ level: 0 });
    value(await give(running, asked('landlord.administrator', enrol('landlord.one'))));
  });

  it('is never wanting for what closes the node, ends a lease or makes room', async () => {
    const running = await (await world('tenant')).startWell();
    await fillTo(running, 0, limits.history_bytes_max * 2);
    const { core } = running;
    const rename = asked('landlord.administrator', { type: 'node.rename', name: 'other' });
    expect(refusalIn(await give(running, rename)).code).to.equal('history-full');
    const close = { type: 'quarantine', on: true, reason: 'it sends spam' } as const;
    value(await give(running, asked('landlord.administrator', close)));
    const lease = leaseAt(core.state, 1);
    value(await give(running, asked('landlord.administrator', { type: 'lease.end', lease })));
  });

  it('is told of when it fills and when it is full, once each, and stands in the status', async () => {
    const running = await (await world('tenant')).startWell();
    const { core, events } = running;
    const lease = leaseAt(core.state, 1);
    const told: string[] = [];
    const tell = events.onTold;
    events.onTold = (...what) => {
      if (what[0] === lease && what[1].kind.startsWith('history.')) told.push(what[1].kind);
      tell(...what);
    };
    const mark = (): HistoryMark => core.state.levels[1]?.history ?? emptyHistory;
    await fillTo(running, 1, limits.history_warned_bytes - 1);
    expect(historyWarning(mark())).to.equal(undefined);
    value(await give(running, asked('tenant.administrator', enrol('tenant.one'))));
    expect(told).to.deep.equal(['history.filling']);
    expect(historyWarning(mark())).to.include('75 %');
    await fillTo(running, 1, limits.history_bytes_max - 1);
    value(await give(running, asked('tenant.administrator', enrol('tenant.two'))));
    expect(told).to.deep.equal(['history.filling', 'history.full']);
  });

  it('of events ends with the oldest, by size too, and a new start counts the same', async () => {
    const store = listStore();
    const sealer = {
      sealFor: (_l: string, _k: string, text: Uint8Array) => text,
      openFor: (_l: string, _k: string, box: Uint8Array) => box,
    };
    const { core } = await (await world('landlord')).startWell();
    const { state } = core;
    const lease = leaseAt(state, 0);
    const log = new EventLog(store, sealer);
    await log.load(state);
    const text = 'x'.repeat(limits.event_bytes_max / 8);
    for (let at = 1; at <= 10; at += 1) {
      const event = { to: [0], kind: 'large', fields: { text } };
      await store.batch(log.stage([event], { ...state, generation: at }, at));
      log.written();
    }
    const kept = log.kept(lease);
    expect(kept).to.deep.include({ first: 4, last: 10 });
    expect(kept['bytes']).to.be.most(limits.event_bytes_max);
    expect(await log.read(lease, 1)).to.deep.include({ from: 4 });
    const again = new EventLog(store, sealer);
    await again.load(state);
    expect(again.kept(lease)).to.deep.equal(kept);
  });
});

function enrol(name: string) {
  return { type: 'consoles.add', console: member('tenant', 'operator', name) } as const;
}

/** As if so much had been recorded already. */
async function fillTo({ core }: Running, at: number, bytes: number): Promise<void> {
  await core.actByItself('test', (state) => {
    const levels = state.levels.map((level, index) => {
      if (index !== at) return level;
      const pieces = [{ last: level.history.head.seq, bytes }];
      return { ...level, history: { ...level.history, pieces } };
    });
    return decided({ ...state, levels: levels as unknown as NodeState['levels'] });
  });
}

function listStore(): Store {
  const values = new Map<string, Uint8Array>();
  return {
    get: (key) => Promise.resolve(values.get(key)),
    batch(ops: readonly StoreOp[]) {
      for (const op of ops)
        if (op.type === 'put') values.set(op.key, op.value);
        else values.delete(op.key);
      return Promise.resolve();
    },
    async *entries(prefix) {
      for (const key of [...values.keys()].sort())
        if (key.startsWith(prefix)) yield [key, values.get(key) ?? new Uint8Array()] as [string, Uint8Array];
    },
    close: () => Promise.resolve(),
  };
}
