import { expect } from 'chai';
import {
  Bed,
  broadcastMac,
  checksum,
  etherType,
  ethernet,
  ipProtocol,
  ipv4,
  ipv6,
  macBytes,
  pseudoHeader,
  ipBytes,
  udp,
  until,
  type Place,
} from '../bed/index.js';
import { Enforced, peer } from './enforced.js';

function arp(operation: 1 | 2, from: Place, claims: string, target: string, to = broadcastMac): Buffer {
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]);
  const body = [macBytes(from.mac), ipBytes(claims), Buffer.alloc(6), ipBytes(target)];
  return ethernet({ to, from: from.mac, type: etherType.arp }, Buffer.concat([head, ...body]));
}

function datagram(
  from: Place,
  to: { readonly mac: string },
  source: string,
  destination: string,
  text: string,
): Buffer {
  const six = source.includes(':');
  const header = { from: source, to: destination, protocol: ipProtocol.udp };
  const packet = (six ? ipv6 : ipv4)(header, udp(header, { from: 4000, to: 80 }, text));
  const type = six ? etherType.ipv6 : etherType.ipv4;
  return ethernet({ to: to.mac, from: from.mac, type }, packet);
}

describe('a node speaks and listens only as itself', () => {
  let bed: Bed;
  let node: Place;
  let other: Place;
  let enforced: Enforced;

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    enforced = await Enforced.at(node);
    await enforced.allow({ action: 'allow' });
  });
  afterEach(async () => {
    await enforced.close();
    await bed.remove();
  });

  const refusedAs = async (reason: string): Promise<number> => {
    const counters = await enforced.firewall.counters();
    return counters.ok ? (counters.value.named.get(`refused_${reason}`)?.packets ?? -1) : -1;
  };

  for (const family of [4, 6] as const) {
    const foreign = family === 4 ? '10.77.0.77' : 'fd77::77';
    const foreignPrefix = `${foreign}/${family === 4 ? 24 : 64}`;
    const noDad = family === 4 ? [] : ['nodad'];
    const at = (place: Place): string => (family === 4 ? place.ipv4 : place.ipv6);

    it(`drops IPv${family} packets for an address that the kernel has but the plan does not`, async () => {
      await node.must(['ip', 'addr', 'add', foreignPrefix, 'dev', node.nic, ...noDad]);
      const heard = await node.listenUdp({ port: 80, family });
      await other.sendFrames([datagram(other, node, at(other), foreign, 'foreign')]);
      await until(async () => (await refusedAs('foreign')) > 0);
      await other.sendFrames([datagram(other, node, at(other), at(node), 'own')]);
      await heard.arrival('own');
      expect(heard.arrivals).to.have.length(1);
    });

    it(`drops IPv${family} packets that come in with an address of its own as their source`, async () => {
      const heard = await node.listenUdp({ port: 80, family });
      await other.sendFrames([
        datagram(other, node, at(node), at(node), 'forged'),
        datagram(other, node, at(other), at(node), 'honest'),
      ]);
      await heard.arrival('honest');
      expect(heard.arrivals).to.have.length(1);
    });

    it(`does not let IPv${family} packets out that claim another's address`, async () => {
      await node.must(['ip', 'addr', 'add', foreignPrefix, 'dev', node.nic, ...noDad]);
      const heard = await other.listenUdp({ port: 80, family });
      await until(async () => {
        await node.sendUdp({ to: at(other), port: 80, from: foreign }, 'forged').catch(() => {});
        return (await refusedAs('spoofed')) > 0;
      });
      await node.sendUdp({ to: at(other), port: 80, from: at(node) }, 'honest');
      await heard.arrival('honest');
      expect(heard.arrivals.map((it) => it.data.toString())).to.deep.equal(['honest']);
    });
  }

  it('answers ARP for its own addresses only, and believes nobody who claims them', async () => {
    await node.must(['ip', 'addr', 'add', '10.77.0.77/24', 'dev', node.nic]);
    const tap = await other.tap();
    const isAnswer = (claimed: string) => (frame: { data: Buffer }) =>
      frame.data.readUInt16BE(12) === etherType.arp &&
      frame.data[21] === 2 &&
      frame.data.subarray(28, 32).equals(ipBytes(claimed));
    await other.sendFrames([
      arp(1, other, other.ipv4, '10.77.0.77'),
      arp(1, other, node.ipv4, node.ipv4),
      arp(1, other, other.ipv4, node.ipv4),
    ]);
    await tap.frame(isAnswer(node.ipv4));
    expect(tap.frames.some(isAnswer('10.77.0.77'))).to.equal(false);
  });

  it('passes multicast only where a filter names the group, and its sender too', async () => {
    const group = '239.1.2.3';
    const heard = await node.listenUdp({ port: 80, address: '0.0.0.0' });
    await node.must(['ip', 'addr', 'add', `${group}/32`, 'dev', node.nic, 'autojoin']);
    const send = (text: string): Promise<void> =>
      other.sendFrames([datagram(other, { mac: '01:00:5e:01:02:03' }, other.ipv4, group, text)]);
    await send('unnamed');
    await until(async () => (await refusedAs('filter_0')) > 0);
    await enforced.allow({ action: 'allow', direction: 'in', peers: [group], protocol: 'udp' });
    const before = await refusedAs('filter_0');
    await send('sender not allowed');
    await until(async () => (await refusedAs('filter_0')) > before);
    await enforced.allow({ action: 'allow', direction: 'in', peers: [group, other.ipv4], protocol: 'udp' });
    await send('both');
    await heard.arrival('both');
    expect(heard.arrivals).to.have.length(1);
  });

  it('hears router advertisements only from routers it was told of', async () => {
    const advertisement = Buffer.concat([Buffer.from([134, 0, 0, 0, 64, 0, 0, 60]), Buffer.alloc(8)]);
    const send = async (): Promise<void> => {
      const header = { from: other.linkLocal, to: 'ff02::1', protocol: ipProtocol.icmpv6, hops: 255 };
      const message = Buffer.from(advertisement);
      message.writeUInt16BE(checksum(pseudoHeader(header, message.length), message), 2);
      const frame = ethernet(
        { to: '33:33:00:00:00:01', from: other.mac, type: etherType.ipv6 },
        ipv6(header, message),
      );
      await other.sendFrames([frame]);
    };
    const routes = async (): Promise<boolean> =>
      (await node.must(['ip', '-6', 'route', 'show', 'default', 'proto', 'ra'])).includes('via');
    await node.must(['sysctl', '-q', '-w', `net.ipv6.conf.${node.nic}.accept_ra=2`]);
    const before = await refusedAs('filter_0');
    await send();
    await until(async () => (await refusedAs('filter_0')) > before);
    expect(await routes()).to.equal(false);
    await enforced.enforce({ routers: [peer(other.linkLocal)] });
    await until(async () => {
      await send();
      return routes();
    });
  });

  for (const family of [4, 6] as const)
    it(`passes no IPv${family} packet on, even where the kernel would`, async () => {
      const [from, to] = family === 4 ? [other.ipv4, bed.console.ipv4] : [other.ipv6, bed.console.ipv6];
      const forwarding = family === 4 ? 'net.ipv4.ip_forward=1' : 'net.ipv6.conf.all.forwarding=1';
      await node.must(['sysctl', '-q', '-w', forwarding]);
      const heard = await bed.console.listenUdp({ port: 80, family });
      const before = await refusedAs('foreign');
      await other.sendFrames([datagram(other, node, from, to, 'passed on')]);
      await until(async () => (await refusedAs('foreign')) > before);
      expect(heard.arrivals).to.have.length(0);
    });

  it('hears answers of DHCP servers only when it asks for its address, and only from those it knows', async () => {
    const heard = await node.listenUdp({ port: 68 });
    const answer = (from: Place, text: string): Buffer => {
      const header = { from: from.ipv4, to: node.ipv4, protocol: ipProtocol.udp };
      const packet = ipv4(header, udp(header, { from: 67, to: 68 }, text));
      return ethernet({ to: node.mac, from: from.mac, type: etherType.ipv4 }, packet);
    };
    await enforced.enforce({ levels: [] });
    await other.sendFrames([answer(other, 'not asked for')]);
    await until(async () => (await refusedAs('closed')) === 1);
    await enforced.enforce({ dhcp: { servers: [peer(bed.console.ipv4)] } });
    await other.sendFrames([answer(other, 'not known')]);
    await until(async () => (await refusedAs('closed')) === 2);
    await bed.console.sendFrames([answer(bed.console, 'known')]);
    await heard.arrival('known');
    expect(heard.arrivals).to.have.length(1);
  });

  it('believes no neighbour discovery that came through a router, nor any in its own name', async () => {
    const advertise = async (source: string, hops: number, claimed = bed.console.ipv6): Promise<void> => {
      const header = { from: source, to: node.ipv6, protocol: ipProtocol.icmpv6, hops };
      const option = Buffer.concat([Buffer.from([2, 1]), macBytes(other.mac)]);
      const start = Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0]);
      const message = Buffer.concat([start, ipBytes(claimed), option]);
      message.writeUInt16BE(checksum(pseudoHeader(header, message.length), message), 2);
      const head = { to: node.mac, from: other.mac, type: etherType.ipv6 };
      await other.sendFrames([ethernet(head, ipv6(header, message))]);
    };
    await enforced.enforce({ levels: [] });
    const all = async (): Promise<number> =>
      (await refusedAs('closed')) + (await refusedAs('invalid')) + (await refusedAs('spoofed'));
    const before = await all();
    await advertise(other.ipv6, 254);
    await until(async () => (await all()) === before + 1);
    await advertise(node.ipv6, 255);
    await until(async () => (await all()) === before + 2);
    // From a neighbour's own address, and not through a router: but of the node's address.
    await advertise(other.ipv6, 255, node.ipv6);
    await until(async () => (await all()) === before + 3);
    // What it says of another that the node knows is heard.
    const known = [bed.console.ipv6, 'lladdr', '02:00:00:00:00:01', 'dev', node.nic, 'nud', 'stale'];
    await node.must(['ip', '-6', 'neigh', 'replace', ...known]);
    const neighbour = ['ip', '-6', 'neigh', 'show', bed.console.ipv6];
    await until(async () => {
      await advertise(other.ipv6, 255);
      return (await node.must(neighbour)).includes(other.mac);
    });
    expect(await all()).to.equal(before + 3);
  });
});
