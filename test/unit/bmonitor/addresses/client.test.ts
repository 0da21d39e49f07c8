import { expect } from 'chai';
import * as fc from 'fast-check';
import { wakeAt, type Input } from '../../../../bmonitor/addresses/state.js';
import { dhcpTypes, type DhcpPacket, type DhcpType } from '../../../../protocol/dhcp/index.js';
import { address, server, World } from './world.js';

describe('the DHCP client', () => {
  let world: World;
  beforeEach(() => (world = new World()));

  it('asks, takes the first offer that makes sense, probes the address, and has it', () => {
    world.give({ kind: 'start' });
    expect([world.is, world.did]).to.deep.equal(['selecting', ['discover to everyone']]);
    world.hears('offer');
    expect([world.is, world.did]).to.deep.equal(['requesting', ['request to everyone']]);
    expect(world.sent[0]?.options).to.include({ requested: address, server });
    world.hears('ack');
    expect([world.is, world.did]).to.deep.equal(['probing', [`probe ${address}`]]);
    world.give({ kind: 'probed', address, taken: false });
    expect(world.is).to.equal('bound');
    expect(world.did).to.deep.equal([
      `changed none to ${address}`,
      `apply ${address}`,
      `announce ${address}`,
    ]);
  });

  it('asks a silent network ever more slowly, and never stops', () => {
    world.give({ kind: 'start' });
    const waits: number[] = [];
    for (let count = 0; count < 12; count++) {
      const from = world.now_ms;
      world.sleep();
      expect(world.did).to.deep.equal(['discover to everyone']);
      waits.push(world.now_ms - from);
    }
    waits.forEach((wait, index) => {
      const plain = 2_000 * 2 ** Math.min(index, 5);
      expect(wait).to.be.within(plain * 0.9, plain * 1.1);
    });
  });

  it('hears only answers to its own question', () => {
    world.give({ kind: 'start' });
    world.hears('offer', { xid: world.xid + 1 });
    world.hears('offer', { mac: '02:00:00:00:00:08' });
    world.hears('ack');
    world.hears('nak');
    expect(world.is).to.equal('selecting');
    world.hears('offer');
    world.hears('ack', { options: { server: '10.0.0.2' } });
    world.hears('ack', { yiaddr: '10.0.0.8' });
    world.hears('nak', { options: { server: '10.0.0.2' } });
    expect(world.is).to.equal('requesting');
  });

  for (const [what, more] of Object.entries({
    'no server': { options: { server: '0.0.0.0' } },
    'a mask with holes': { options: { subnetMask: '255.0.255.0' } },
    'the network itself as an address': { yiaddr: '10.0.0.0' },
    'a group as an address': { yiaddr: '224.0.0.7' },
    'loopback as an address': { yiaddr: '127.0.0.7' },
    'a lease of one second': { options: { lease_s: 1 } },
    'the address itself as router': { options: { routers: [address] } },
    'a route to loopback': {
      options: { classlessRoutes: [{ network: '127.0.0.0', length: 8, router: server }] },
    },
    'a route with host bits': {
      options: { classlessRoutes: [{ network: '10.9.0.1', length: 24, router: server }] },
    },
  })) {
    it(`does not take an offer with ${what}, and takes the next good one`, () => {
      world.give({ kind: 'start' });
      world.hears('offer', more);
      expect(world.is).to.equal('selecting');
      world.hears('offer');
      expect(world.is).to.equal('requesting');
    });
  }

  it('looks for another server when one offers and then does not answer', () => {
    world.give({ kind: 'start' });
    world.hears('offer');
    for (let count = 0; count < 3; count++) {
      world.sleep();
      expect(world.did).to.deep.equal(['request to everyone']);
    }
    world.sleep();
    expect([world.is, world.did]).to.deep.equal(['selecting', ['discover to everyone']]);
    world.hears('offer');
    expect(world.is, 'the silent one again').to.equal('selecting');
    world.hears('offer', { options: { server: '10.0.0.2' } });
    expect(world.is).to.equal('requesting');
  });

  it('waits longer after each refusal in a row', () => {
    world.give({ kind: 'start' });
    const waits: number[] = [];
    for (let count = 0; count < 5; count++) {
      const from = world.now_ms;
      const other = `10.0.0.${100 + count}`;
      world.hears('offer', { options: { server: other } });
      world.hears('nak', { options: { server: other } });
      expect(world.is).to.equal('init');
      world.sleep();
      waits.push(world.now_ms - from);
    }
    for (let index = 1; index < waits.length; index++)
      expect(waits[index]).to.be.greaterThan(waits[index - 1] ?? 0);
  });

  it('declines an address that another machine has, and waits ten seconds', () => {
    world.give({ kind: 'start' });
    world.hears('offer');
    world.hears('ack');
    world.give({ kind: 'probed', address, taken: true });
    expect([world.is, world.did]).to.deep.equal(['declined', ['decline to everyone']]);
    expect(world.sent[0]?.options).to.include({ requested: address, server });
    const from = world.now_ms;
    world.sleep();
    expect(world.now_ms - from).to.equal(10_000);
    expect(world.is).to.equal('selecting');
  });

  it('renews at half its time with the server, and rebinds with anyone', () => {
    world.bind();
    const from = world.now_ms;
    world.sleep();
    expect(world.now_ms - from).to.equal(500_000);
    expect([world.is, world.did]).to.deep.equal(['renewing', ['request to server']]);
    expect(world.sent[0]?.ciaddr).to.equal(address);
    expect(world.sent[0]?.options).to.not.have.any.keys('requested', 'server');
    while (world.is === 'renewing') world.sleep();
    expect(world.is).to.equal('rebinding');
    expect(world.now_ms - from).to.equal(875_000);
    expect(world.did).to.deep.equal(['request to everyone']);
    world.hears('ack', { options: { server: '10.0.0.2' } });
    expect([world.is, world.did]).to.deep.equal(['bound', [`apply ${address}`]]);
    expect(world.client.applied?.server).to.equal('10.0.0.2');
  });

  it('keeps the server’s own times if they are in order', () => {
    world.give({ kind: 'start' });
    world.hears('offer');
    world.hears('ack', { options: { renewal_s: 100, rebinding_s: 200 } });
    world.give({ kind: 'probed', address, taken: false });
    const lease = world.client.applied;
    expect([lease?.renew_ms, lease?.rebind_ms]).to.deep.equal([
      world.now_ms + 100_000,
      world.now_ms + 200_000,
    ]);
    const other = new World();
    other.give({ kind: 'start' });
    other.hears('offer');
    other.hears('ack', { options: { renewal_s: 5000, rebinding_s: 4000 } });
    other.give({ kind: 'probed', address, taken: false });
    expect(other.client.applied?.renew_ms).to.equal(other.now_ms + 500_000);
  });

  it('gives the address up at the end of its time, and asks again', () => {
    world.bind();
    const from = world.now_ms;
    while (world.is !== 'expired') world.sleep();
    expect(world.now_ms - from).to.equal(1_000_000);
    expect(world.did).to.deep.equal([`remove ${address}`, `changed ${address} to none`]);
    expect(world.client.applied).to.equal(undefined);
    world.sleep();
    expect(world.is).to.equal('selecting');
  });

  it('gives the address up at once when its server refuses to renew it', () => {
    world.bind();
    world.sleep();
    world.hears('nak');
    expect(world.is).to.equal('init');
    expect(world.did).to.deep.equal([`remove ${address}`, `changed ${address} to none`]);
  });

  it('asks for the address that it had before a restart, and takes another if that is refused', () => {
    world.give({ kind: 'start', previous: address });
    expect([world.is, world.did]).to.deep.equal(['rebooting', ['request to everyone']]);
    expect(world.sent[0]?.options).to.include({ requested: address }).and.not.have.property('server');
    world.hears('nak');
    world.sleep();
    expect(world.is).to.equal('selecting');
    const other = new World();
    other.give({ kind: 'start', previous: address });
    other.hears('ack');
    expect([other.is, other.did]).to.deep.equal(['probing', [`probe ${address}`]]);
  });

  it('asks whether its address still holds when the link comes back, and uses it on when nobody answers', () => {
    world.bind();
    world.give({ kind: 'carrier', up: false });
    world.give({ kind: 'carrier', up: true });
    expect([world.is, world.did]).to.deep.equal(['rebooting', ['request to everyone']]);
    while (world.is === 'rebooting') world.sleep();
    expect(world.is).to.equal('bound');
    world.give({ kind: 'carrier', up: true });
    world.hears('nak');
    expect(world.did).to.deep.equal([`remove ${address}`, `changed ${address} to none`]);
  });

  it('asks at once when the link comes, and not only when its wait is over', () => {
    world.give({ kind: 'start' });
    for (let count = 0; count < 6; count++) world.sleep();
    world.give({ kind: 'carrier', up: true });
    expect(world.did).to.deep.equal(['discover to everyone']);
    expect((wakeAt(world.client) ?? 0) - world.now_ms).to.be.lessThan(3_000);
  });

  it('defends its address once, and yields the second time', () => {
    world.bind();
    world.give({ kind: 'conflict', address });
    expect([world.is, world.did]).to.deep.equal(['bound', [`announce ${address}`]]);
    world.now_ms += 5_000;
    world.give({ kind: 'conflict', address });
    expect([world.is, world.did]).to.deep.equal([
      'declined',
      ['decline to everyone', `remove ${address}`, `changed ${address} to none`],
    ]);
  });

  it('tells the server when it gives the address back, before the address is gone', () => {
    world.bind();
    world.give({ kind: 'release' });
    expect(world.did).to.deep.equal(['release to server', `remove ${address}`, `changed ${address} to none`]);
    expect(world.is).to.equal('released');
    expect(wakeAt(world.client)).to.equal(undefined);
  });

  it('holds exactly what it said it applied, whatever comes in whatever order', () => {
    const types = fc.constantFrom(...(Object.keys(dhcpTypes) as DhcpType[]));
    const servers = fc.constantFrom(server, '10.0.0.2');
    const addresses = fc.constantFrom(address, '10.0.0.8');
    type Move = (it: World) => void;
    const packets: fc.Arbitrary<Move> = fc
      .tuple(types, servers, addresses, fc.boolean())
      .map(([type, from, yiaddr, right]) => (it: World) => {
        const packet: Partial<DhcpPacket> = { yiaddr, options: { server: from }, xid: right ? it.xid : 7 };
        it.hears(type, packet);
      });
    const inputs: fc.Arbitrary<Move> = fc
      .constantFrom<Input>(
        { kind: 'start' },
        { kind: 'start', previous: address },
        { kind: 'carrier', up: true },
        { kind: 'probed', address, taken: false },
        { kind: 'probed', address, taken: true },
        { kind: 'conflict', address },
        { kind: 'release' },
        { kind: 'wake' },
      )
      .map((input) => (it: World) => void it.give(input));
    const sleeps: fc.Arbitrary<Move> = fc.constant((it: World) => {
      if (wakeAt(it.client) !== undefined) it.sleep();
    });
    const moves = fc.array(
      fc.oneof({ weight: 4, arbitrary: packets }, inputs, { weight: 2, arbitrary: sleeps }),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(moves, (all) => {
        const it = new World();
        let held: string | undefined;
        let told: string | undefined;
        for (const move of all) {
          it.effects = [];
          move(it);
          for (const effect of it.effects) {
            if (effect.kind === 'changed') {
              expect(effect.old).to.equal(told);
              expect(held, 'the old one is gone first').to.equal(undefined);
              told = effect.new;
            }
            if (effect.kind === 'remove') {
              expect(effect.lease.address).to.equal(held);
              held = undefined;
            }
            if (effect.kind === 'apply') {
              expect(effect.lease.address, 'told before it is applied').to.equal(told);
              held = effect.lease.address;
            }
          }
          expect(it.client.applied?.address).to.equal(held);
          const after = it.client.applied?.expires_ms ?? Infinity;
          expect(wakeAt(it.client) ?? Infinity, 'woken before the end').to.be.at.most(
            it.is === 'probing' ? Infinity : after,
          );
        }
      }),
    );
  });
});
