import { expect } from 'chai';
import { examine } from '../../../../bmonitor/health/doctor.js';
import type { MachineReadings } from '../../../../bmonitor/health/machine.js';

const tools = { ip: true, perl: true, conntrack: true, tcpdump: true, tpm2_unseal: true, smartctl: true };
const good: MachineReadings = {
  kernel: '6.18.44-1-amd64',
  nft: 'nftables v1.0.6 (Lester Gooch #5)',
  tpm: 'tpm2',
  ipmi: true,
  watchdog: true,
  cgroups: 'v2',
  clockSynchronised: true,
  swaps: [{ name: '/dev/zram0', encrypted: true }],
  corePattern: '|/bin/false',
  debianNftablesService: 'disabled',
  secureBoot: true,
  measured: [0, 2, 4, 7, 9, 13],
  lackingForFiles: [],
  engineTools: ['crun', 'conmon'],
  tools,
};

function verdict(what: string, readings: MachineReadings): string | undefined {
  return examine(readings).find((finding) => finding.what === what)?.verdict;
}

describe('the doctor', () => {
  it('finds nothing on a good machine', () => {
    expect(examine(good).filter((finding) => finding.verdict !== 'ok')).to.deep.equal([]);
  });

  it('knows nothing of a machine that says nothing, and so calls nothing well', () => {
    const findings = examine({ tools: {} });
    expect(findings.filter((finding) => finding.verdict === 'ok')).to.deep.equal([]);
    expect(findings.filter((finding) => finding.verdict === 'missing').map(({ what }) => what)).to.deep.equal(
      ['nftables', 'tools'],
    );
  });

  it('says what is lacking for the files of levels', () => {
    expect(verdict('files of levels', { ...good, lackingForFiles: ['xfs_io'] })).to.equal('missing');
    expect(verdict('files of levels', { ...good, fileCipher: 'xts-aes-aesni' })).to.equal('ok');
    expect(verdict('files of levels', { ...good, fileCipher: 'xts(ecb(aes-fixed-time))' })).to.equal('weak');
  });

  it('says what engines lack, by the version of the control groups', () => {
    expect(verdict('engines', { ...good, engineTools: ['crun'] })).to.equal('missing');
    expect(verdict('engines', { ...good, engineTools: ['conmon'] })).to.equal('missing');
    expect(verdict('engines', { ...good, cgroups: 'v1', engineTools: ['crun', 'conmon'] })).to.equal(
      'missing',
    );
    expect(verdict('engines', { ...good, cgroups: 'v1', engineTools: ['runc', 'conmon'] })).to.equal('ok');
  });

  it('holds the kernel against the fixes that filters need', () => {
    expect(verdict('kernel', { ...good, kernel: '6.17.0' })).to.equal('ok');
    expect(verdict('kernel', { ...good, kernel: '6.1.0-31-amd64' })).to.equal('weak');
    expect(verdict('kernel', { ...good, kernel: '6.16.4' })).to.equal('weak');
    expect(verdict('kernel', { ...good, kernel: '6.16.8' })).to.equal('ok');
    expect(verdict('kernel', { ...good, kernel: '6.12.48' })).to.equal('ok');
    expect(verdict('kernel', { ...good, kernel: '7.0.1' })).to.equal('ok');
    expect(verdict('kernel', { ...good, kernel: '4.19.0' })).to.equal('missing');
    expect(verdict('kernel', { ...good, kernel: 'plan9' })).to.equal('unknown');
  });

  it('says what is weak: swap in the clear, core dumps, a clock that drifts, a service that flushes', () => {
    expect(verdict('swap', { ...good, swaps: [{ name: '/dev/sda2', encrypted: false }] })).to.equal('weak');
    expect(verdict('core dumps', { ...good, corePattern: 'core' })).to.equal('weak');
    expect(verdict('clock', { ...good, clockSynchronised: false })).to.equal('weak');
    expect(verdict('nftables.service', { ...good, debianNftablesService: 'enabled' })).to.equal('weak');
    expect(verdict('secure boot', { ...good, secureBoot: false })).to.equal('weak');
    expect(verdict('measured boot', { ...good, measured: [0, 2, 4, 7, 9] })).to.equal('weak');
    expect(verdict('measured boot', { ...good, measured: [0, 2, 4, 7, 13] })).to.equal('weak');
    expect(verdict('cgroups', { ...good, cgroups: 'hybrid' })).to.equal('weak');
  });

  it('says what is missing: a tool that a node cannot do without, a TPM', () => {
    expect(verdict('tools', { ...good, tools: { ...tools, conntrack: false } })).to.equal('missing');
    expect(verdict('tools', { ...good, tools: { ...tools, smartctl: false } })).to.equal('weak');
    expect(verdict('TPM', { ...good, tpm: 'none' })).to.equal('missing');
    expect(verdict('TPM', { ...good, tpm: 'tpm1' })).to.equal('missing');
  });
});
