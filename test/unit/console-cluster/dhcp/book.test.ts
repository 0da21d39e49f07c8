import { expect } from 'chai';
import * as fc from 'fast-check';
import { LeaseBook } from '../../../../console-cluster/dhcp/book.js';
import { decide, type Decision } from '../../../../console-cluster/dhcp/decide.js';
import { parsePool, type Pool } from '../../../../console-cluster/dhcp/model.js';
import { noAddress, type DhcpOptions, type DhcpPacket } from '../../../../protocol/dhcp/index.js';

const pool: Pool = {
  name: 'hall',
  network: '10.0.0.0',
  length: 24,
  first: '10.0.0.10',
  last: '10.0.0.12',
  lease_s: 600,
};
const server = '10.0.0.1';

function mac(number: number): string {
  return `02:00:00:00:00:0${number}`;
}

/** The server without its cables: decides, and writes what it decided at once. */
class Desk {
  /** Which node says that it has an address, and whether any node is behind. */
  readonly said = new Map<string, string>();
  behind = false;
  readonly book = new LeaseBook({
    isOfAnother: (address, node) => (this.said.get(address) ?? node) !== node,
    isAnyBehind: () => this.behind,
  });
  now_ms = 1_000_000;

  constructor(machines = 3) {
    this.book.pools.set(pool.name, pool);
    for (let number = 1; number <= machines; number++)
      this.book.setMachine({ mac: mac(number), node: `node-${number}`, pool: pool.name });
  }

  ask(
    number: number,
    type: DhcpPacket['type'],
    options: DhcpOptions = {},
    more: Partial<DhcpPacket> = {},
  ): Decision {
    const none = { ciaddr: noAddress, yiaddr: noAddress, siaddr: noAddress, giaddr: noAddress };
    const packet = { type, xid: 1, secs: 0, broadcast: false, ...none, mac: mac(number), options, ...more };
    const decision = decide(this.book, packet, {
      address: server,
      now_ms: this.now_ms,
      setAside_ms: 600_000,
    });
    if ('held' in decision) this.book.hold(decision.held);
    return decision;
  }

  /** From discover to grant. */
  take(number: number): string | undefined {
    const offer = this.ask(number, 'discover');
    if (offer.do !== 'offer') return undefined;
    const { address } = offer.place;
    return this.ask(number, 'request', { requested: address, server }).do === 'grant' ? address : undefined;
  }
}

describe('the book of leases', () => {
  it('gives each machine an address of its own, and none when there is none', () => {
    const desk = new Desk(4);
    expect([1, 2, 3, 4].map((number) => desk.take(number))).to.deep.equal([
      '10.0.0.10',
      '10.0.0.11',
      '10.0.0.12',
      undefined,
    ]);
  });

  describe('what filters may still name for the node that had it', () => {
    const moved = (): Desk => {
      const desk = new Desk(4);
      for (const number of [1, 2, 3]) desk.take(number);
      desk.ask(1, 'release', {}, { ciaddr: '10.0.0.10' });
      return desk;
    };

    it('goes to nobody else while that node says that it has it, and to that node itself at any time', () => {
      const desk = moved();
      desk.said.set('10.0.0.10', 'node-1');
      expect(desk.take(4)).to.equal(undefined);
      expect(desk.take(1)).to.equal('10.0.0.10');
    });

    it('goes to nobody else while any node may not know that it moved', () => {
      const desk = moved();
      desk.behind = true;
      expect(desk.take(4)).to.equal(undefined);
      const asked = desk.ask(4, 'request', { requested: '10.0.0.10', server });
      expect(asked.do).to.equal('refuse');
      desk.behind = false;
      expect(desk.take(4)).to.equal('10.0.0.10');
    });

    it('goes to another card of the same node', () => {
      const desk = moved();
      desk.behind = true;
      desk.book.setMachine({ mac: mac(5), node: 'node-1', pool: pool.name });
      expect(desk.take(5)).to.equal('10.0.0.10');
    });

    it('does not hold up what nobody ever had', () => {
      const desk = new Desk(2);
      desk.behind = true;
      expect([desk.take(1), desk.take(2)]).to.deep.equal(['10.0.0.10', '10.0.0.11']);
    });
  });

  it('gives a machine what it had, also after its lease ended', () => {
    const desk = new Desk();
    desk.take(1);
    const had = desk.take(2);
    desk.now_ms += 3_600_000;
    expect(desk.take(2)).to.equal(had);
  });

  it('takes, when all were used once, the one that is longest free', () => {
    const desk = new Desk(4);
    for (const number of [1, 2, 3]) {
      desk.take(number);
      desk.now_ms += 1000;
    }
    desk.now_ms += 3_600_000;
    expect(desk.take(4)).to.equal('10.0.0.10');
  });

  it('keeps a fixed address for its machine alone', () => {
    const desk = new Desk();
    desk.book.setMachine({ mac: mac(3), node: 'node-3', pool: 'hall', fixed: '10.0.0.10' });
    expect(desk.take(1)).to.equal('10.0.0.11');
    expect(desk.ask(2, 'request', { requested: '10.0.0.10' }).do).to.equal('refuse');
    expect(desk.take(3)).to.equal('10.0.0.10');
  });

  it('refuses an address to a machine that may not have it, and says nothing to strangers', () => {
    const desk = new Desk(2);
    desk.take(1);
    expect(desk.ask(2, 'request', { requested: '10.0.0.10' }).do).to.equal('refuse');
    expect(desk.ask(2, 'request', { requested: '192.168.1.1' }).do).to.equal('refuse');
    expect(desk.ask(7, 'request', { requested: '10.0.0.10' }).do).to.equal('wait');
    expect(desk.ask(7, 'discover').do).to.equal('wait');
  });

  it('lets a machine take another server’s offer, and keeps nothing for it', () => {
    const desk = new Desk(4);
    desk.ask(1, 'discover');
    expect(desk.ask(1, 'request', { requested: '10.9.9.9', server: '10.0.0.99' }).do).to.equal('nothing');
    expect([2, 3, 4].map((number) => desk.take(number))).to.not.include(undefined);
  });

  it('sets aside what its holder declines, and listens to nobody else about it', () => {
    const desk = new Desk();
    const address = desk.take(1) ?? '';
    expect(desk.ask(2, 'decline', { requested: address }).do).to.equal('nothing');
    expect(desk.ask(1, 'decline', { requested: address }).do).to.equal('setAside');
    expect(desk.take(1)).to.not.equal(address);
    expect(desk.ask(2, 'release', {}, { ciaddr: address }).do).to.equal('nothing');
  });

  it('probes an address unless the machine that asks holds it already', () => {
    const desk = new Desk();
    expect(desk.ask(1, 'discover')).to.include({ do: 'offer', probe: true });
    desk.take(1);
    expect(desk.ask(1, 'discover')).to.include({ do: 'offer', probe: false });
  });

  it('leaves relayed questions alone', () => {
    expect(new Desk().ask(1, 'discover', {}, { giaddr: '10.0.0.2' }).do).to.equal('nothing');
  });

  it('never lets two machines hold one address, whatever they ask in whatever order', () => {
    const addresses = fc.constantFrom('10.0.0.10', '10.0.0.11', '10.0.0.12', '10.0.0.13');
    const kinds = fc.constantFrom<DhcpPacket['type']>('discover', 'request', 'decline', 'release', 'inform');
    const move = fc.record({
      who: fc.integer({ min: 1, max: 6 }),
      kind: kinds,
      address: addresses,
      renews: fc.boolean(),
      later_ms: fc.constantFrom(0, 0, 0, 1000, 700_000),
    });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
        const desk = new Desk(5);
        const holders = new Map<string, { mac: string; until_ms: number }>();
        for (const { who, kind, address, renews, later_ms } of moves) {
          desk.now_ms += later_ms;
          const decision = desk.ask(
            who,
            kind,
            renews ? {} : { requested: address },
            renews ? { ciaddr: address } : {},
          );
          if (decision.do === 'offer') {
            const holder = holders.get(decision.place.address);
            if (holder && holder.until_ms > desk.now_ms) expect(holder.mac).to.equal(mac(who));
          }
          if (decision.do === 'grant') {
            const holder = holders.get(decision.held.address);
            if (holder && holder.until_ms > desk.now_ms) expect(holder.mac).to.equal(mac(who));
            holders.set(decision.held.address, { mac: mac(who), until_ms: decision.held.until_ms });
          }
          if (decision.do === 'free' || decision.do === 'setAside') holders.delete(decision.held.address);
        }
      }),
    );
  });
});

describe('a pool', () => {
  const refused = (more: Partial<Record<keyof Pool, unknown>>): string | undefined => {
    const parsed = parsePool({ ...pool, ...more }, '');
    return parsed.ok ? undefined : parsed.refusal.where;
  };

  it('lies within its network, in order', () => {
    expect(refused({})).to.equal(undefined);
    expect(refused({ first: '10.0.1.1' })).to.equal('first');
    expect(refused({ last: '10.0.0.255' })).to.equal('last');
    expect(refused({ first: '10.0.0.13' })).to.equal('last');
    expect(refused({ length: 31 })).to.equal('length');
    expect(refused({ lease_s: 1 })).to.equal('lease_s');
    expect(refused({ extra: 1 } as never)).to.equal('extra');
  });
});
