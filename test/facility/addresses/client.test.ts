import { expect } from 'chai';
import { Bed, until, type Place } from '../bed/index.js';
import { ClientUnderTest } from './client-under-test.js';
import { startDnsmasq } from './dnsmasq.js';
import { RudeServer } from './rude-server.js';

describe('the node asks for its address', () => {
  let bed: Bed;
  let node: Place;
  let server: Place;

  beforeEach(async () => {
    bed = await Bed.create({ nodes: ['node', 'squatter'], addressed: false });
    node = bed.place('node');
    server = bed.console;
  });
  afterEach(() => bed.remove());

  it('takes it from dnsmasq, with its route, renews it there, and gives it back', async () => {
    const dnsmasq = await startDnsmasq(server, {
      first: '10.77.0.100',
      last: '10.77.0.110',
      folder: bed.dir,
      more: [
        '--dhcp-option=3,10.77.0.1',
        '--dhcp-option=121,10.99.0.0/16,10.77.0.2,0.0.0.0/0,10.77.0.1',
        '--dhcp-option=58,2',
        '--dhcp-option=59,4',
      ],
    });
    const client = await ClientUnderTest.start(node);
    const address = await client.applied();
    expect(address).to.match(/^10\.77\.0\.1(0\d|10)$/);
    expect(await client.addresses()).to.deep.equal([`${address}/24`]);
    const routes = await node.must(['ip', '-4', 'route']);
    expect(routes).to.match(new RegExp(`default via 10.77.0.1 dev ${node.nic} proto dhcp src ${address}`));
    expect(routes).to.match(/10\.99\.0\.0\/16 via 10\.77\.0\.2/);
    expect(await node.ping(server.ipv4)).to.equal('answered');
    expect(await client.applied(2)).to.equal(address);
    await dnsmasq.says(/(DHCPACK[^]*){2}/);
    client.release();
    await dnsmasq.says(/DHCPRELEASE/);
    await until(async () => (await client.addresses()).length === 0, { what: 'no address' });
  });

  for (const manners of ['rubbish', 'nonsense', 'rude', 'silent'] as const)
    it(`takes it from dnsmasq although another machine answers before: ${manners}`, async () => {
      const rude = await RudeServer.start(bed.place('squatter'), '10.77.0.66', manners);
      await startDnsmasq(server, {
        first: '10.77.0.100',
        last: '10.77.0.110',
        folder: bed.dir,
        more: ['--dhcp-option=58,2', '--dhcp-option=59,4'],
      });
      const client = await ClientUnderTest.start(node);
      const address = await client.applied();
      expect(address).to.match(/^10\.77\.0\.1(0\d|10)$/);
      // And it renews it beside such a machine.
      expect(await client.applied(2)).to.equal(address);
      expect(await client.addresses()).to.deep.equal([`${address}/24`]);
      expect(rude.said).to.be.greaterThan(0);
      rude.stop();
    });

  it('finds the address that it had, after it was killed and started again', async () => {
    await startDnsmasq(server, { first: '10.77.0.100', last: '10.77.0.110', folder: bed.dir });
    const first = await ClientUnderTest.start(node);
    const address = await first.applied();
    await first.process.kill();
    expect(await first.addresses(), 'it stays while nobody looks after it').to.deep.equal([`${address}/24`]);
    const second = await ClientUnderTest.start(node);
    await second.becomes('rebooting');
    expect(await second.applied()).to.equal(address);
    expect(second.process.log).to.not.include('"state":"selecting"');
  });

  it('declines an address that another machine has, and takes the next', async () => {
    const squatter = bed.place('squatter');
    await squatter.must(['ip', 'address', 'add', '10.77.0.100/24', 'dev', squatter.nic]);
    const dnsmasq = await startDnsmasq(server, {
      first: '10.77.0.100',
      last: '10.77.0.101',
      folder: bed.dir,
      more: ['--dhcp-sequential-ip'],
    });
    const client = await ClientUnderTest.start(node);
    await dnsmasq.says(/DHCPDECLINE\(\w+\) 10\.77\.0\.100/);
    expect(await client.applied()).to.equal('10.77.0.101');
    expect(await client.addresses()).to.deep.equal(['10.77.0.101/24']);
  });

  it('asks again when the cable is put back, and moves to another network’s address', async () => {
    const first = await startDnsmasq(server, { first: '10.77.0.100', last: '10.77.0.100', folder: bed.dir });
    const client = await ClientUnderTest.start(node);
    expect(await client.applied()).to.equal('10.77.0.100');
    await node.link.cut();
    await first.kill();
    const folder = await server.dir();
    await startDnsmasq(server, { first: '10.77.0.200', last: '10.77.0.200', folder });
    await node.link.restore();
    await client.becomes('rebooting');
    expect(await client.applied(2)).to.equal('10.77.0.200');
    expect(await client.addresses()).to.deep.equal(['10.77.0.200/24']);
    expect(client.process.log).to.match(/"event":"address.changed","old":"10.77.0.100"/);
  });
});
