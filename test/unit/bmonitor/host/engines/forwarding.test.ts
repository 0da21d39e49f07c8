import { expect } from 'chai';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { passPacketsOn } from '../../../../../bmonitor/host/engines/forwarding.js';

describe('a machine that passes packets on for its engines', () => {
  let folder: string;
  const put = (file: string, value: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${value}\n`);
  };
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8').trim();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bmonitor-forwarding-'));
    put('ipv4/ip_forward', '0');
    for (const [name, accept] of [
      ['all', '1'],
      ['default', '1'],
      ['eth0', '1'],
      ['eth1', '0'],
      ['eth2', '2'],
    ] as const) {
      put(`ipv6/conf/${name}/forwarding`, '0');
      put(`ipv6/conf/${name}/accept_ra`, accept);
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('passes both families on, and stays a host on its own interfaces, with what it heard of routers as before', () => {
    passPacketsOn(folder);
    expect([read('ipv4/ip_forward'), read('ipv6/conf/all/forwarding')]).to.deep.equal(['1', '1']);
    for (const [name, accept] of [
      ['default', '1'],
      ['eth0', '1'],
      ['eth1', '0'],
      ['eth2', '2'],
    ] as const)
      expect([read(`ipv6/conf/${name}/forwarding`), read(`ipv6/conf/${name}/accept_ra`)]).to.deep.equal([
        '0',
        accept,
      ]);
  });

  it('is left as it is when it passes them on already: somebody made it a router', () => {
    put('ipv6/conf/all/forwarding', '1');
    put('ipv6/conf/eth0/forwarding', '1');
    passPacketsOn(folder);
    expect(read('ipv6/conf/eth0/forwarding')).to.equal('1');
  });

  it('does without IPv6', () => {
    rmSync(join(folder, 'ipv6'), { recursive: true });
    passPacketsOn(folder);
    expect(read('ipv4/ip_forward')).to.equal('1');
  });
});
