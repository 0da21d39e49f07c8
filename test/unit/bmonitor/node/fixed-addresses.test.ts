import { expect } from 'chai';
import { parseConfig, type Config } from '../../../../bmonitor/node/config.js';
import { fixedAddresses } from '../../../../bmonitor/node/fixed-addresses.js';
import { standingOf } from '../../../../bmonitor/node/standing.js';
import { refusalIn, value } from '../../../fakes/results.js';

function configOf(more: Readonly<Record<string, unknown>>): Config {
  const config = { name: 'node-1', listen: { host: '0.0.0.0', port: 7443 }, interface: 'eth0', ...more };
  return value(parseConfig(JSON.stringify(config)));
}

describe('the addresses of the configuration', () => {
  it('are put on the interface where their network is said, and only there', () => {
    const fixed = value(
      fixedAddresses(configOf({ addresses: ['10.0.0.7/24', '10.0.0.8', 'FD00:7:0::7/64'] })),
    );
    expect(fixed.addresses).to.deep.equal([
      { address: '10.0.0.7', family: 4, length: 24 },
      { address: 'fd00:7::7', family: 6, length: 64 },
    ]);
  });

  it('are the node’s own in the filters, one by one and not as a network', () => {
    const { addresses } = value(standingOf(configOf({ addresses: ['10.0.0.7/24'] })));
    expect(addresses).to.deep.equal([{ family: 4, lo: 0x0a00_0007n, hi: 0x0a00_0007n }]);
  });

  it('have a router for each family, on their network or by its link-local address', () => {
    const own = { addresses: ['10.0.0.7/24', 'fd00:7::7/64'] };
    const { routers } = value(fixedAddresses(configOf({ ...own, routers: ['10.0.0.1', 'fe80::1'] })));
    expect(routers).to.deep.equal([
      { address: '10.0.0.1', family: 4 },
      { address: 'fe80::1', family: 6 },
    ]);
  });

  for (const [why, more] of [
    ['a router that no address reaches', { addresses: ['10.0.0.7/24'], routers: ['10.0.1.1'] }],
    ['a router without a network', { addresses: ['10.0.0.7'], routers: ['10.0.0.1'] }],
    ['the node as its own router', { addresses: ['10.0.0.7/24'], routers: ['10.0.0.7'] }],
    ['two routers of one family', { addresses: ['10.0.0.7/24'], routers: ['10.0.0.1', '10.0.0.2'] }],
    ['a network that is longer than an address', { addresses: ['10.0.0.7/33'] }],
    ['a network of no length', { addresses: ['10.0.0.7/0'] }],
    ['a router of IPv6 for an address of IPv4', { addresses: ['10.0.0.7/24'], routers: ['fe80::1'] }],
  ] as const)
    it(`are refused with ${why}`, () => {
      expect(refusalIn(fixedAddresses(configOf(more))).code).to.equal('bad-input');
    });
});
