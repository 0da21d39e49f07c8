import { expect } from 'chai';
import { parseConfig } from '../../../../bmonitor/node/config.js';
import { decide } from '../../../../bmonitor/node/decide.js';
import { ownedIn } from '../../../../bmonitor/node/engine-ways.js';
import { addressesForEngines, fixedAddresses } from '../../../../bmonitor/node/fixed-addresses.js';
import { standingOf } from '../../../../bmonitor/node/standing.js';
import { formatRange } from '../../../../bmonitor/filters/address.js';
import { engineSettings } from '../../../../protocol/engines.js';
import { consoleId, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

const settings = { image: `sha256:${'5'.repeat(64)}` };

describe('addresses of the node that are for engines', () => {
  const content = {
    name: 'node-1',
    listen: { host: '10.0.0.7', port: 7443 },
    interface: 'eth0',
    addresses: ['10.0.0.7/24'],
    engines: { addresses: ['10.0.0.70', 'FD00::70'] },
  };
  const config = value(parseConfig(JSON.stringify(content)));
  const engineAddresses = addressesForEngines(config);

  async function put(name: string, addresses: readonly string[], before?: string) {
    const { core } = await (await world('tenant')).startWell();
    const given = {
      now_s: core.now_s(),
      newId: () => name,
      locked: new Set<string>(),
      shareOpens: () => false,
      engineAddresses,
    };
    const request = {
      level: 1,
      lease: core.state.levels[1]?.lease ?? '',
      console: consoleId('tenant.developer'),
      jti: 'j',
      statement: 's',
      provenNew: true,
    };
    const putting = (one: string, own: readonly string[], state = core.state) =>
      decide(
        state,
        {
          ...request,
          command: { type: 'engine.put', name: one, settings: { ...settings, addresses: [...own] } },
        },
        given,
      );
    const state = before === undefined ? core.state : value(putting('first', [before])).state;
    return putting(name, addresses, state);
  }

  it('are the node’s own to the filters, and are put on its interface without being chosen for what the machine says', () => {
    expect(value(standingOf(config)).addresses.map(formatRange)).to.deep.equal([
      '10.0.0.7',
      '10.0.0.70',
      'fd00::70',
    ]);
    expect(value(fixedAddresses(config)).addresses).to.deep.equal([
      { address: '10.0.0.7', family: 4, length: 24 },
      { address: '10.0.0.70', family: 4, length: 32, forEngines: true },
      { address: 'fd00::70', family: 6, length: 128, forEngines: true },
    ]);
  });

  it('are not those that the machine has already', () => {
    const twice = { ...content, engines: { addresses: ['10.0.0.7'] } };
    expect(refusalIn(standingOf(value(parseConfig(JSON.stringify(twice)))))).to.deep.include({
      code: 'bad-input',
      where: 'engines.addresses[0]',
    });
  });

  it('lead to the engine that names them, each to one', async () => {
    const { state } = value(await put('web', ['10.0.0.70', 'fd00:0::70']));
    expect(ownedIn(state, undefined, engineAddresses)).to.deep.equal([
      { family: 4, address: '10.0.0.70', to: '100.96.0.1' },
      { family: 6, address: 'fd00::70', to: 'fd62:6d6f:6e69:746f::1' },
    ]);
    expect(refusalIn(await put('web', ['FD00::70'], 'fd00::70')).code).to.equal('address-in-use');
  });

  it('lead to none any more when the machine does not keep them for engines', async () => {
    const { state } = value(await put('web', ['10.0.0.70']));
    expect(ownedIn(state, undefined, new Set())).to.deep.equal([]);
  });

  it('are all that an engine can have: not the machine’s, and not anybody’s', async () => {
    for (const address of ['10.0.0.7', '10.0.0.71', '0.0.0.0', '::ffff:10.0.0.70'])
      expect(refusalIn(await put('web', [address])).code, address).to.equal('address-not-for-engines');
  });

  it('are named one of each family, in words that are addresses', () => {
    for (const addresses of [['10.0.0.70', '10.0.0.71'], ['fd00::70', '::1'], ['10.0.0'], ['fd00:::1'], []]) {
      expect(refusalIn(engineSettings({ ...settings, addresses }, '')).code, addresses.join(' ')).to.equal(
        'bad-input',
      );
    }
  });
});
