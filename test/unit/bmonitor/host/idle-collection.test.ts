import { expect } from 'chai';
import { hostCollecting, idleCollection } from '../../../../bmonitor/host/idle-collection.js';

describe('a node that has nothing to do', () => {
  const world = { used_ms: 0, now_ms: 0, collected: 0 };
  const look = idleCollection({
    processor_ms: () => world.used_ms,
    now_ms: () => world.now_ms,
    collect: () => (world.collected += 1),
  });
  const after = (passed_ms: number, used_ms: number): boolean => {
    world.now_ms += passed_ms;
    world.used_ms += used_ms;
    return look();
  };

  it('collects what nobody holds any more', () => {
    expect(after(300_000, 1000)).to.equal(true);
    expect(after(300_000, 1000)).to.equal(true);
    expect(world.collected).to.equal(2);
  });

  it('does not stop for that while it works, and does again when it has worked', () => {
    expect(after(300_000, 30_000)).to.equal(false);
    expect(world.collected).to.equal(2);
    expect(after(300_000, 1000)).to.equal(true);
  });

  it('can collect on this machine, and gives no other part of the process that door', async () => {
    let held: object | undefined = { what: 'nobody holds' };
    const weak = new WeakRef(held);
    held = undefined;
    // What a WeakRef was asked for lives to the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    hostCollecting().collect();
    expect(weak.deref()).to.equal(undefined);
    expect('gc' in globalThis).to.equal(false);
  });
});
