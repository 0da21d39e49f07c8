import { missesDuringChanges, oldKernelWarning } from '../ports/kernel-version.js';
import type { Finding, MachineReadings, Verdict } from './machine.js';

function finding(what: string, verdict: Verdict, says: string, todo?: string): Finding {
  return { what, verdict, says, ...(todo === undefined ? {} : { todo }) };
}

/** Judges a machine as a place for a node. Pure; what the machine does not say is unknown, never well. */
export function examine(readings: MachineReadings): readonly Finding[] {
  return [
    kernel(readings),
    nftables(readings),
    flushing(readings),
    tools(readings),
    tpm(readings),
    secureBoot(readings),
    measuredBoot(readings),
    clock(readings),
    swap(readings),
    cores(readings),
    files(readings),
    cgroups(readings),
    engines(readings),
    ipmi(readings),
    watchdog(readings),
  ];
}

/** Without these no node runs here; without the others it runs, and lacks something. */
const essential: ReadonlySet<string> = new Set(['kernel', 'nftables', 'tools']);

export function canRun(findings: readonly Finding[]): boolean {
  return !findings.some(({ what, verdict }) => verdict === 'missing' && essential.has(what));
}

function kernel({ kernel: release }: MachineReadings): Finding {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release ?? '') ?? [];
  if (release === undefined || major === undefined)
    return finding('kernel', 'unknown', 'it does not say its version');
  const [number, part] = [Number(major), Number(minor)];
  if (number < 5 || (number === 5 && part < 10))
    return finding('kernel', 'missing', `${release} lacks what the filters need`, 'use Debian 12 or newer');
  return missesDuringChanges(release)
    ? finding('kernel', 'weak', oldKernelWarning(release), 'use a newer kernel where that matters')
    : finding('kernel', 'ok', release);
}

function nftables({ nft }: MachineReadings): Finding {
  const [, major = '0', minor = '0', patch = '0'] = /(\d+)\.(\d+)\.(\d+)/.exec(nft ?? '') ?? [];
  if (nft === undefined) return finding('nftables', 'missing', 'nft does not run', 'apt install nftables');
  const number = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  return number >= 10_006
    ? finding('nftables', 'ok', nft)
    : finding('nftables', 'weak', `${nft}; it is tested from 1.0.6 on`);
}

function flushing({ debianNftablesService: service }: MachineReadings): Finding {
  const what = 'nftables.service';
  if (service === undefined) return finding(what, 'unknown', 'systemd does not say');
  return service === 'disabled'
    ? finding(what, 'ok', 'is not enabled')
    : finding(
        what,
        'weak',
        'is enabled; when it is stopped it flushes all rules, ours too',
        'systemctl disable nftables.service',
      );
}

/** What each tool is for, and whether a node can do without. */
const needed: Readonly<Record<string, { readonly for: string; readonly must: boolean }>> = {
  ip: { for: 'addresses', must: true },
  perl: { for: 'DHCP and probes of the filters', must: true },
  conntrack: { for: 'cutting connections', must: true },
  tcpdump: { for: 'what was refused', must: true },
  tpm2_unseal: { for: 'secrets in the TPM', must: false },
  smartctl: { for: 'the health of disks', must: false },
};

function tools({ tools: there }: MachineReadings): Finding {
  const lacking = Object.entries(needed).filter(([name]) => there[name] !== true);
  if (lacking.length === 0) return finding('tools', 'ok', 'all are there');
  const list = lacking.map(([name, tool]) => `${name} (${tool.for})`).join(', ');
  return finding('tools', lacking.some(([, tool]) => tool.must) ? 'missing' : 'weak', `not there: ${list}`);
}

function tpm({ tpm: kind }: MachineReadings): Finding {
  if (kind === undefined) return finding('TPM', 'unknown', 'the machine does not say');
  switch (kind) {
    case 'tpm2':
      return finding('TPM', 'ok', 'version 2.0');
    case 'tpm1':
      return finding(
        'TPM',
        'missing',
        'of version 1.2, which is not supported',
        'keys rest in a file: who copies the disk can become this node',
      );
    case 'none':
      return finding(
        'TPM',
        'missing',
        'none',
        'keys rest in a file: who copies the disk can become this node',
      );
  }
}

function secureBoot({ secureBoot: on }: MachineReadings): Finding {
  if (on === undefined) return finding('secure boot', 'unknown', 'no UEFI variables can be read');
  return on
    ? finding('secure boot', 'ok', 'on')
    : finding(
        'secure boot',
        'weak',
        'off: what is measured is not what may run',
        'switch it on in the firmware',
      );
}

/** Into which of the TPM's registers what is measured: firmware; a boot loader's part (GRUB, systemd's stub, the kernel's own); BMonitor. */
const firmware = [0, 2, 4, 7];
const loader = [8, 9, 11, 12];
const own = 13;

function measuredBoot({ measured }: MachineReadings): Finding {
  const what = 'measured boot';
  if (measured === undefined) return finding(what, 'unknown', 'the machine shows no registers of a TPM');
  const lacking = [
    ...(firmware.some((one) => measured.includes(one)) ? [] : ['the firmware']),
    ...(loader.some((one) => measured.includes(one)) ? [] : ['kernel, initrd and command line']),
    ...(measured.includes(own) ? [] : ['BMonitor']),
  ];
  if (lacking.length === 0) return finding(what, 'ok', 'from the firmware to BMonitor');
  const todo = measured.includes(own)
    ? 'start by UEFI, through GRUB or systemd’s stub'
    : 'install busybox and initramfs-tools, update-initramfs -u, and start the machine again';
  return finding(
    what,
    'weak',
    `nothing was measured of ${lacking.join(', ')}: who alters it is not seen`,
    todo,
  );
}

function clock({ clockSynchronised }: MachineReadings): Finding {
  if (clockSynchronised === undefined) return finding('clock', 'unknown', 'nobody says whether it is right');
  return clockSynchronised
    ? finding('clock', 'ok', 'is synchronised')
    : finding('clock', 'weak', 'is not synchronised: leases would end at a wrong time', 'install chrony');
}

function swap({ swaps }: MachineReadings): Finding {
  if (swaps === undefined) return finding('swap', 'unknown', 'the machine does not say');
  if (swaps.length === 0) return finding('swap', 'ok', 'none');
  const plain = swaps.filter(({ encrypted }) => encrypted !== true).map(({ name }) => name);
  return plain.length === 0
    ? finding('swap', 'ok', 'in memory only, or encrypted')
    : finding(
        'swap',
        'weak',
        `${plain.join(', ')}: engines' memory may be written to a disk in the clear`,
        'swapoff, or encrypt it with a key of this boot',
      );
}

function cores({ corePattern }: MachineReadings): Finding {
  if (corePattern === undefined) return finding('core dumps', 'unknown', 'the machine does not say');
  return corePattern.trim() === '' || corePattern.startsWith('|/bin/false')
    ? finding('core dumps', 'ok', 'are not written')
    : finding(
        'core dumps',
        'weak',
        `go to ${corePattern}; BMonitor's own are off, the engines' are not`,
        'sysctl kernel.core_pattern=|/bin/false',
      );
}

/** Images, layers and logs of levels: without this a node runs and takes none. */
function files({ lackingForFiles: lacking, fileCipher = '' }: MachineReadings): Finding {
  if (lacking === undefined) return finding('files of levels', 'unknown', 'the machine does not say');
  if (lacking.length === 0 && /generic|fixed-time/.test(fileCipher))
    return finding(
      'files of levels',
      'weak',
      `are encrypted by the kernel without the processor’s own instructions (${fileCipher}): reads are many times slower`,
      'modprobe aesni_intel, or use a kernel that has it, such as Debian’s',
    );
  return lacking.length === 0
    ? finding(
        'files of levels',
        'ok',
        'are encrypted by the kernel (fscrypt on ext4, in an image for each lease)',
      )
    : finding(
        'files of levels',
        'missing',
        `are not taken: this machine lacks ${lacking.join(', ')}`,
        'apt install xfsprogs e2fsprogs, and use a kernel with ext4 encryption and loop devices, such as Debian’s',
      );
}

function cgroups({ cgroups: layout }: MachineReadings): Finding {
  if (layout === undefined) return finding('cgroups', 'unknown', 'the machine does not say');
  switch (layout) {
    case 'v2':
      return finding('cgroups', 'ok', 'version 2');
    case 'v1':
    case 'hybrid':
      return finding(
        'cgroups',
        'weak',
        `${layout}: some limits of engines hold less exactly`,
        'boot with systemd.unified_cgroup_hierarchy=1',
      );
    case 'none':
      return finding('cgroups', 'missing', 'none: engines cannot be limited');
  }
}

/** Without these a node runs, and its levels have no engines. crun of Debian 12 cannot do with control groups of version 1 what is asked of it. */
function engines({ engineTools: there, cgroups: layout }: MachineReadings): Finding {
  if (there === undefined) return finding('engines', 'unknown', 'the machine does not say');
  const runtimes = layout === 'v2' ? (['crun', 'runc'] as const) : (['runc'] as const);
  const runtime = runtimes.find((one) => there.includes(one));
  const lacking = [
    ...(runtime === undefined ? [runtimes.join(' or ')] : []),
    ...(there.includes('conmon') ? [] : ['conmon']),
  ];
  if (lacking.length === 0) return finding('engines', 'ok', `are run by ${runtime}, and watched by conmon`);
  const wanted = lacking.map((one) => one.split(' ')[0] ?? '').join(' ');
  return finding(
    'engines',
    'missing',
    `cannot run: not there: ${lacking.join(', ')}`,
    `apt install ${wanted}`,
  );
}

function ipmi({ ipmi: there }: MachineReadings): Finding {
  if (there === undefined) return finding('IPMI', 'unknown', 'the machine does not say');
  return there
    ? finding('IPMI', 'ok', 'there is a device')
    : finding('IPMI', 'missing', 'no device: power cannot be switched out of band from here');
}

function watchdog({ watchdog: there }: MachineReadings): Finding {
  if (there === undefined) return finding('watchdog', 'unknown', 'the machine does not say');
  return there ? finding('watchdog', 'ok', 'there is a device') : finding('watchdog', 'missing', 'no device');
}
