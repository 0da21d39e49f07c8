import { expect } from 'chai';
import { ownPortsIn, parseConfig } from '../../../../bmonitor/node/config.js';
import { decide } from '../../../../bmonitor/node/decide.js';
import type { Command } from '../../../../protocol/commands.js';
import { consoleId, world } from '../../../fakes/machine/world.js';
import { refusalIn, value } from '../../../fakes/results.js';

function command(port: number, protocol: 'tcp' | 'udp'): Command {
  const settings = { image: `sha256:${'5'.repeat(64)}`, ports: [{ port, protocol }] };
  return { type: 'engine.put', name: 'web', settings };
}

describe('a port on which BMonitor itself listens', () => {
  const config = { name: 'node-1', listen: { host: '10.0.0.7', port: 7443 }, interface: 'eth0', dhcp: true };
  const ownPorts = ownPortsIn(value(parseConfig(JSON.stringify(config))));

  async function put(port: number, protocol: 'tcp' | 'udp') {
    const { core } = await (await world('tenant')).startWell();
    const given = {
      now_s: core.now_s(),
      newId: () => 'new',
      locked: new Set<string>(),
      shareOpens: () => false,
      ownPorts,
    };
    const request = {
      level: 1,
      lease: core.state.levels[1]?.lease ?? '',
      console: consoleId('tenant.developer'),
      jti: 'j',
      statement: 's',
      provenNew: true,
    };
    return decide(core.state, { ...request, command: command(port, protocol) }, given);
  }

  it('is given to no engine', async () => {
    for (const [port, protocol] of [
      [7443, 'tcp'],
      [68, 'udp'],
    ] as const)
      expect(refusalIn(await put(port, protocol))).to.deep.include({
        code: 'port-in-use',
        detail: `${protocol} ${port}`,
      });
  });

  it('takes no other with it: of the other protocol, or beside it', async () => {
    for (const [port, protocol] of [
      [7443, 'udp'],
      [68, 'tcp'],
      [7444, 'tcp'],
    ] as const)
      expect((await put(port, protocol)).ok).to.equal(true);
  });
});
