import type { Catalogue } from './entry.js';

/** Addresses: frames, DHCP, and what the machine's tools say. */
export const addressErrors = {
  'frame-malformed': {
    what: 'A frame from the network is not one that BMonitor understands.',
    why: 'It is damaged, or of a kind that has nothing to do with addresses.',
    todo: 'Nothing: it was dropped.',
  },
  'link-failed': {
    what: 'The interface cannot be used for frames of our own.',
    why: 'It does not exist, is not an Ethernet interface, perl is not installed, or the right to open a packet socket is missing.',
    todo: 'Look at the name of the interface in the configuration, and that the program runs with CAP_NET_RAW.',
  },
  'dhcp-malformed': {
    what: 'A DHCP packet breaks the rules of its format.',
    why: 'Its sender is faulty or hostile.',
    todo: 'Nothing: it was dropped. If it keeps coming, find its sender by the hardware address in the log.',
  },
  'dhcp-unacceptable': {
    what: 'A DHCP server offered something that cannot be used.',
    why: 'The address, mask, router or times in it make no sense on this network.',
    todo: 'Look at the configuration of the server that is named.',
  },
  'address-tool-failed': {
    what: 'The machine did not take an address or a route.',
    why: 'The tool ip refused it, or could not be run.',
    todo: 'Read what it said; it is tried again by itself.',
  },
  'pool-unknown': {
    what: 'There is no pool of addresses of this name.',
    why: 'A machine gets its address from a pool.',
    todo: 'Define the pool first.',
  },
  'address-taken': {
    what: 'The address is fixed to another machine.',
    why: 'No address is given twice.',
    todo: 'Choose another address, or take this one from the machine that has it.',
  },
  'dhcp-not-serving': {
    what: 'The DHCP server of this console does not serve.',
    why: 'It was not configured, or it may not or cannot open its interface.',
    todo: 'Configure it (init --dhcp-interface, or dhcp in console.json), run the console as root or with CAP_NET_RAW and CAP_NET_BIND_SERVICE; dhcp leases says what is missing.',
  },
  'dhcp-port-taken': {
    what: 'The DHCP server cannot have its port.',
    why: 'Another DHCP server runs on this machine, or the right to use the port is missing.',
    todo: 'Stop the other server (ss -lunp shows it), or turn this one off in the configuration.',
  },
} as const satisfies Catalogue;
