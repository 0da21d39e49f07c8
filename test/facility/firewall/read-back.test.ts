import { expect } from 'chai';
import { Attributor, filterCounts } from '../../../bmonitor/filters/nft/attribute.js';
import { canaries } from '../../../bmonitor/filters/nft/canary.js';
import type { FirewallEvent, RefusedPacket } from '../../../bmonitor/ports/firewall.js';
import { Bed, distPath, ipBytes, until, type Place } from '../bed/index.js';
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

  const tamperings: Readonly<Record<string, string>> = {
    'everything is flushed': 'flush ruleset',
    'our table is deleted': 'delete table inet bmonitor',
    'the table for ARP is deleted': 'delete table arp bmonitor',
    'a rule is added before ours': 'insert rule inet bmonitor input accept',
    'a chain is emptied': 'flush chain inet bmonitor input',
    'a policy is loosened': 'chain inet bmonitor input { policy accept; }',
    'a chain is added': 'add chain inet bmonitor intruder',
    'the wrong filter is added to a map': 'SLOT l0_in4_exact { 10.77.0.12 . 6 . 81 : return }',
  };

  for (const [what, command] of Object.entries(tamperings)) {
    it(`repairs and reports it when ${what}`, async () => {
      const listed = await node.must(['nft', '-t', 'list', 'table', 'inet', 'bmonitor']);
      const text = command.replace(/^SLOT (\w+)/u, (_, name: string) => {
        const slot = new RegExp(`${name}_s\\d+`, 'u').exec(listed)?.[0];
        return `add element inet bmonitor ${slot ?? ''}`;
      });
      await node.must(['nft', text]);
      await until(() => events.some((event) => event.kind === 'altered'), { what: 'the report' });
      expect(await other.tryTcp({ to: node.ipv4, port: 80 })).to.equal('answered');
      expect(await other.tryTcp({ to: node.ipv4, port: 81 })).to.equal('silent');
      expect(valueOf(await enforced.firewall.readBack()).differed).to.deep.equal([]);
    });
  }

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
    const probes = canaries([], { address4: true, address6: true });
    expect(probes.length).to.be.greaterThan(0);
    const script = `
      import { sendCanaries } from ${JSON.stringify(distPath('bmonitor/host/firewall/canary.js'))};
      console.log(JSON.stringify(await sendCanaries(${JSON.stringify(probes)})));`;
    const ask = async (): Promise<readonly { readonly refused: boolean }[]> =>
      JSON.parse(await node.must(['node', '--input-type=module', '-e', script])) as { refused: boolean }[];
    expect((await ask()).map(({ refused }) => refused)).to.deep.equal(probes.map(() => true));
    await enforced.allow({ action: 'allow', direction: 'out' });
    expect((await ask()).some(({ refused }) => refused)).to.equal(false);
    expect(canaries(enforced.plan.levels, { address4: true, address6: true })).to.deep.equal([]);
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
