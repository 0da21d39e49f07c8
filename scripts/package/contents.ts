import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/root.js';

/** The rooms that run on other machines; scripts and tests stay here. */
export const rooms = ['crypto', 'protocol', 'bmonitor', 'console', 'console-cluster', 'console-app'] as const;

export const commands: Readonly<Record<string, string>> = {
  bmonitor: 'dist/bmonitor/cli/index.js',
  'console-cluster': 'dist/console-cluster/cli/index.js',
  'console-app': 'dist/console-app/cli/index.js',
};

/** Debian packages that the programs need beside their own Node.js. perl-base is on every machine. */
export const depends = [
  'libc6 (>= 2.31)',
  'libstdc++6',
  'libgcc-s1',
  'perl-base',
  'nftables',
  'iproute2',
  'conntrack',
  'tcpdump',
  'procps',
  'util-linux',
  'mount',
  'e2fsprogs',
  'xfsprogs',
  'conmon',
  'runc | crun',
];
/** The last two measure BMonitor before it runs: without them a node can only keep its keys in a file. */
const recommends = [
  'tpm2-tools',
  'smartmontools',
  'ipmitool',
  'ethtool',
  'cryptsetup-bin',
  'chrony | systemd-timesyncd',
  'initramfs-tools',
  'busybox',
];

export function control(version: string, architecture: string, installed_kb: number): string {
  return [
    'Package: bmonitor',
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Maintainer: BMonitor <bmonitor@localhost>',
    `Installed-Size: ${installed_kb}`,
    `Depends: ${depends.join(', ')}`,
    `Recommends: ${recommends.join(', ')}`,
    'Section: net',
    'Priority: optional',
    'Description: two sovereign masters on one leased server',
    " Enforces the landlord's and the tenant's packet filters in the kernel, holds a key",
    ' pair for each of them, and obeys commands that are sealed end to end. With the',
    ' consoles of both, and a Node.js of its own.',
    '',
  ].join('\n');
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** The folders of the npm packages that run, by the lock file. Those for other platforms are not on this machine. */
export function productionPackages(): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    .filter((path) => existsSync(join(root, path)));
}
