/** The limits of DHCP, ARP and gateways: a part of `limits`, which is what everybody reads. */
export const networkLimits = {
  /** A lease that holds for less is a server's fault: it could not be renewed in time. */
  dhcp_lease_s_min: 4,
  /** Routes that a DHCP server may give. */
  dhcp_routes_max: 32,
  /** The first wait for an answer, and how often it is doubled: 2 to 64 seconds, as RFC 2131 ends. */
  dhcp_first_ms: 2_000,
  dhcp_doublings_max: 5,
  /** Requests for an offer, before another server is looked for; and questions whether an old address still holds. */
  dhcp_requests_max: 4,
  dhcp_confirms_max: 2,
  /** How long a server that offered and did not give comes last; and how many such are remembered. */
  dhcp_avoid_ms: 60_000,
  dhcp_avoided_max: 8,
  /** The wait after an address that was taken: RFC 2131 asks for ten seconds. */
  dhcp_declined_ms: 10_000,
  /** A second claim to our address within this time, and it is given up: RFC 5227. */
  dhcp_defend_ms: 10_000,
  /** An address is asked for so often on the link, so far apart, before it is used. A machine on the link answers in a millisecond. */
  arp_probes_count: 3,
  arp_probe_ms: 100,
  /** Addresses of one pool: a network of 16 bits, searched in a millisecond or two. */
  dhcp_pool_addresses_max: 65_536,
  /** How long an offered address waits for its request. */
  dhcp_offer_ms: 60_000,
  /** How long an address that a stranger uses is given to nobody. */
  dhcp_set_aside_ms: 600_000,
  /** Machines listed as waiting to be adopted. */
  dhcp_waiting_max: 1024,
  /** How often a DHCP server that could not start is tried again: its interface may come later. */
  dhcp_start_again_ms: 30_000,
  /** Leases written in one synced write. */
  dhcp_writes_at_once_max: 512,
  /** Renewals are not asked for more often, unless the lease is short. */
  dhcp_renew_pause_ms_min: 60_000,
  /** What a sender may have under way in one channel of a gateway before the receiver has asked for more. */
  gateway_window_bytes: 256 * 1024,
  /** A piece of a message in a channel: small enough that one channel does not hold up the others. */
  gateway_piece_bytes_max: 32 * 1024,
  /** A frame of a gateway: a piece with its head, or a proof with its key. */
  gateway_frame_bytes_max: 40 * 1024,
  /** Channels of one console at a gateway: a customer's nodes, each once, with some to spare for reconnections. */
  gateway_channels_per_console_max: 4096,
  /** Channels to one node at a gateway: its consoles, with some to spare. */
  gateway_channels_per_node_max: 256,
  /** Connections of nodes and consoles at a gateway. */
  gateway_connections_max: 25_000,
  /** Connections that have not proved who they are yet. */
  gateway_strangers_max: 512,
  /** How long a connection may take to prove who it is. */
  gateway_proof_ms_max: 10_000,
  /** Channels that a customer may open in a second; a burst of four seconds is let through. */
  gateway_opens_per_customer_per_s: 200,
  /** What a customer may carry through a gateway in a second; beyond it, more is asked for later. */
  gateway_bytes_per_customer_per_s: 32 * 1024 * 1024,
  /** How often a gateway asks whether the other side is there; a side that heard nothing for three times as long hangs up. */
  gateway_ping_ms: 15_000,
  /** Nodes that are not known yet and knocked at the gateway, kept to be shown. */
  gateway_waiting_nodes_max: 1000,
  /** Addresses from which consoles reach a node whatever filters say: a handful for each site of the landlord's. */
  console_ways_max: 64,
} as const;
