import type { Catalogue } from './entry.js';

/** Errors of the kernel's packet filter. */
export const firewallErrors = {
  'boot-file-failed': {
    what: 'The file that closes the machine at its next boot, until BMonitor runs, could not be written.',
    why: 'The disk is full or read only. The file before it, or the one of the package, still closes the machine; but a console that was added since is not let through by it.',
    todo: 'Make room in the folder of the node, then start BMonitor again.',
  },
  'firewall-refused': {
    what: 'The kernel did not take the packet filter.',
    why: 'A batch is taken whole or not at all, so the filters before it still stand.',
    todo: 'Read the detail: most often the kernel lacks a part of nftables, or a program changed our tables at the same moment. Then send the command again.',
  },
  'firewall-tool-failed': {
    what: 'A program that speaks to the kernel (nft, conntrack, tcpdump) could not be run or ended by itself.',
    why: 'Without it BMonitor can neither change nor check what the kernel enforces; what stands there stays.',
    todo: 'See that the packages nftables, conntrack and tcpdump are installed and that BMonitor runs as root.',
  },
} as const satisfies Catalogue;
