import { expect } from 'chai';
import { Attributor, filterCounts } from '../../../bmonitor/filters/nft/attribute.js';
import { canaries } from '../../../bmonitor/filters/nft/canary.js';
import type { FirewallEvent, RefusedPacket } from '../../../bmonitor/ports/firewall.js';
import { Bed, ipBytes, until, type Place } from '../bed/index.js';
import { Enforced, level, valueOf } from './enforced.js';

describe('what stands in the kernel is watched', () => {
  let bed: Bed;
  let node: Place;
  let other: Place;
  let enforced: Enforced;
  let events: FirewallEvent[];

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    enforced = await Enforced.at(node);
    events = [];
    void (async () => {
      for await (const event of enforced.firewall.events()) events.push(event);
    })();
    await enforced.allow(
      { action: 'allow', direction: 'in', protocol: 'tcp', ports: [80] },
      {
        action: 'allow',
        direction: 'in',
        peers: ['10.9.0.0/16', 'fd99::/64'],
        ports: ['1-99'],
        protocol: 'udp',
      },
    );
    await node.listenTcp({ port: 80 });
    await node.listenTcp({ port: 81 });
  });
  afterEach(async () => {
    await enforced.close();
    await bed.remove();
  });

  it('finds what it put there unchanged', async () => {
    expect(valueOf(await enforced.firewall.readBack())).to.deep.equal({ differed: [], repaired: false });
    await enforced.enforce({ quarantine: true });
    expect(valueOf(await enforced.firewall.readBack()).differed).to.deep.equal([]);
    expect(events).to.deep.equal([]);
  });

  /** `@map` is the map's name in the kernel, `%map` its first key there, `#chain` the handle of the chain's first rule. */
  const inKernelsNames = async (command: string): Promise<string> => {
    const listed = await node.must(['nft', '-n', '-a', 'list', 'table', 'inet', 'bmonitor']);
    const slot = (name: string): string => new RegExp(`\\b${name}_s\\d+`, 'u').exec(listed)?.[0] ?? '';
    const firstKey = (name: string): string =>
      new RegExp(`${slot(name)} \\{[^}]*elements = \\{ ([^,}]*?) counter`, 'u').exec(listed)?.[1] ?? '';
    const handle = (chain: string): string =>
      new RegExp(`chain ${chain} \\{[^}]*?# handle \\d+[^}]*?# handle (\\d+)`, 'u').exec(listed)?.[1] ?? '';
    return command
      .replaceAll(/@(\w+)/gu, (_, name: string) => slot(name))
      .replaceAll(/%(\w+)/gu, (_, name: string) => firstKey(name))
      .replaceAll(/#(\w+)/gu, (_, chain: string) => handle(chain))
      .replace('OWN6', node.ipv6);
  };

  const tamperings: Readonly<Record<string, readonly [command: string, named: RegExp]>> = {
    'everything is flushed': ['flush ruleset', /table inet bmonitor/u],
    'our table is deleted': ['delete table inet bmonitor', /table inet bmonitor/u],
    'the table for ARP is deleted': ['delete table arp bmonitor', /table arp bmonitor/u],
    'the table below IP is deleted': ['delete table bridge bmonitor', /table bridge bmonitor/u],
    'a rule is added before ours': ['insert rule inet bmonitor input accept', /chain input/u],
    'a rule is deleted': ['delete rule inet bmonitor input handle #input', /chain input/u],
    'a rule is replaced': ['replace rule inet bmonitor input handle #input accept', /chain input/u],
    'a chain is emptied': ['flush chain inet bmonitor input', /chain input/u],
    'a level’s chain is emptied': ['flush chain inet bmonitor l0_in4_start', /chain l0_in4_start/u],
    'a policy is loosened': ['chain inet bmonitor input { policy accept; }', /chain input/u],
    'a chain is added': ['add chain inet bmonitor intruder', /chain intruder/u],
    'a map is added': ['add set inet bmonitor intruder { type ipv4_addr; }', /set intruder/u],
    'the wrong filter is added to a map': [
      'add element inet bmonitor @l0_in4_exact { 10.77.0.12 . 6 . 81 : return }',
      /map l0_in4_exact/u,
    ],
    'a filter is taken out of a map': [
      'delete element inet bmonitor @l0_in4_ranges { %l0_in4_ranges }',
      /map l0_in4_ranges/u,
    ],
    'a map is emptied': ['flush map inet bmonitor @l0_in4_ranges', /map l0_in4_ranges/u],
    'the node gets an address more': ['add element inet bmonitor @own4 { 10.77.0.99 }', /set own4/u],
    'the node loses an address': ['delete element inet bmonitor @own6 { OWN6 }', /set own6/u],
  };

  for (const [what, [command, named]] of Object.entries(tamperings)) {
    it(`repairs it, and says what it was, when ${what}`, async () => {
      const before = Date.now();
      await node.must(['nft', await inKernelsNames(command)]);
      const altered = (): FirewallEvent | undefined => events.find(({ kind }) => kind === 'altered');
      await until(() => altered() !== undefined, { what: 'the report' });
      expect(altered()).to.include({ repaired: true });
      expect((altered() as { what: readonly string[] }).what.join()).to.match(named);
      expect(enforced.firewall.comparisons.differed?.what.join()).to.match(named);
      expect(enforced.firewall.comparisons.differed?.at).to.be.at.least(before);
      expect(await other.tryTcp({ to: node.ipv4, port: 80 })).to.equal('answered');
      expect(await other.tryTcp({ to: node.ipv4, port: 81 })).to.equal('silent');
      expect(valueOf(await enforced.firewall.readBack()).differed).to.deep.equal([]);
    });
  }

  it('finds by itself that nothing differs, and when it last looked', async () => {
    const { comparisons } = enforced.firewall;
    await until(() => (enforced.firewall.comparisons.rulesAt ?? 0) > (comparisons.rulesAt ?? 0));
    await until(() => enforced.firewall.comparisons.elementsAt !== undefined);
    expect(enforced.firewall.comparisons).to.not.have.property('differed');
  });

  it('finds nothing altered after changes of its own that raised the epoch', async () => {
    for (const quarantine of [true, false, true]) {
      await enforced.enforce({ quarantine });
      const before = Date.now();
      await until(() => (enforced.firewall.comparisons.rulesAt ?? 0) > before);
    }
    const last = enforced.firewall.comparisons.rulesAt ?? 0;
    await until(() => (enforced.firewall.comparisons.rulesAt ?? 0) > last);
    expect(events).to.deep.equal([]);
  });

  it('touches no table but its own', async () => {
    await node.must(['nft', 'table inet theirs { chain c { type filter hook input priority 10; }; }']);
    await enforced.enforce({ quarantine: true });
    await node.must(['nft', 'delete table inet bmonitor']);
    await until(() => events.some((event) => event.kind === 'altered'));
    expect(await node.must(['nft', 'list', 'table', 'inet', 'theirs'])).to.include('filter + 10');
  });

  it('says of each refused packet which level refused it, and holds it', async () => {
    await enforced.enforce({
      levels: [
        level({ filters: [{ action: 'allow' }] }),
        level({ otherwise: 'inherit', filters: [{ action: 'deny', protocol: 'tcp', ports: [81] }] }),
      ],
    });
    const refused: RefusedPacket[] = [];
    void (async () => {
      for await (const packet of enforced.firewall.refused()) refused.push(packet);
    })();
    await until(async () => {
      await other.tryTcp({ to: node.ipv4, port: 81, patience_ms: 50 });
      return refused.length > 0;
    });
    const [first] = refused;
    expect(first?.reason).to.equal('filter 1');
    expect(first?.direction).to.equal('in');
    const attributor = new Attributor({ levels: enforced.plan.levels, addresses: enforced.plan.addresses });
    expect(first && attributor.of(first)).to.deep.equal({ reason: 'filter 1', level: 1, filter: 0 });
    expect(Buffer.from(first?.packet ?? []).subarray(12, 16)).to.deep.equal(ipBytes(other.ipv4));
  });

  it('sends probes that should be refused, and sees that they are', async () => {
    const both = { address4: true, address6: true };
    await node.must(['ip', 'route', 'add', '2001:db8::/32', 'via', bed.router.ipv6]);
    const probes = canaries([], both);
    const fates = async (): Promise<readonly string[]> =>
      (await enforced.firewall.probe(probes)).map(({ fate }) => fate);
    await enforced.enforce({ levels: [] });
    for (const family of [4, 6])
      for (const protocol of [6, 17, family === 4 ? 1 : 58])
        expect(probes.some((one) => one.family === family && one.protocol === protocol)).to.equal(true);
    expect(await fates()).to.deep.equal(probes.map(() => 'refused'));
    await enforced.allow({ action: 'allow', direction: 'out' });
    expect(await fates()).to.deep.equal(probes.map(() => 'passed'));
    expect(canaries(enforced.plan.levels, both)).to.deep.equal([]);
    await node.must(['ip', 'route', 'flush', 'default']);
    expect(await fates())
      .to.include('unsent')
      .and.not.include('refused');
  });

  it('probes what a deny names', async () => {
    const deny = { action: 'deny', direction: 'out', peers: [other.ipv4] } as const;
    await enforced.allow(
      { action: 'allow', direction: 'out' },
      { ...deny, protocol: 'tcp', ports: [443] },
      { ...deny, protocol: 'icmp' },
    );
    const probes = canaries(enforced.plan.levels, { address4: true, address6: true });
    expect(probes.map(({ protocol, port }) => [protocol, port])).to.have.deep.members([
      [6, 443],
      [1, 0],
    ]);
    expect((await enforced.firewall.probe(probes)).map(({ fate }) => fate)).to.deep.equal([
      'refused',
      'refused',
    ]);
  });

  it('counts connections and refused packets by element, and flows by the kernel', async () => {
    await enforced.enforce({
      levels: [
        level({
          filters: [
            { action: 'allow', direction: 'in', protocol: 'tcp', ports: [80] },
            { action: 'deny', direction: 'in', peers: [other.ipv4], protocol: 'udp', ports: [9] },
          ],
        }),
      ],
    });
    for (let times = 0; times < 3; times++) await other.tryTcp({ to: node.ipv4, port: 80 });
    await other.sendUdp({ to: node.ipv4, port: 9 }, 'refused', 5);
    await until(async () => {
      const { elements, named } = valueOf(await enforced.firewall.counters());
      const ranges = elements.get('l0_in4_ranges');
      const exact = elements.get('l0_in4_exact');
      return (
        [...(ranges?.values() ?? [])].some(({ packets }) => packets === 3) &&
        exact?.get(`${other.ipv4} . 17 . 9`)?.packets === 5 &&
        named.get('refused_filter_0')?.packets === 5
      );
    });
    const counts = filterCounts(enforced.plan.levels, valueOf(await enforced.firewall.counters()));
    expect(
      counts.map(({ level: at, filter, packets }) => ({ level: at, filter, packets })),
    ).to.deep.include.members([
      { level: 0, filter: 0, packets: 3 },
      { level: 0, filter: 1, packets: 5 },
    ]);
    const flows = valueOf(await enforced.firewall.flows());
    expect(flows.some((flow) => flow.destinationPort === 80 && flow.packets >= 3)).to.equal(true);
  });
});
