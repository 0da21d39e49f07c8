/**
 * What a bed looks like, and the lines for `ip -batch` that make it. Pure, so that the addresses can be read and
 * tested without making anything.
 *
 *   node-1   node-2  …  console        office-alder   office-birch
 *     │        │          │                 │              │
 *   ──┴────────┴── br0 ───┴──── router ─────┴──────────────┘
 *        (namespace "facility")
 */
export interface BedPlan {
  /** Names of nodes. */
  readonly nodes?: readonly string[];
  /** Names of customers; each gets a place `office-NAME` behind the router. */
  readonly offices?: readonly string[];
  /** False: nodes have no address and no route, as a node that has not asked DHCP yet. */
  readonly addressed?: boolean;
}

export interface PlacePlan {
  readonly name: string;
  readonly kind: 'node' | 'console' | 'router' | 'office';
  readonly namespace: string;
  readonly nic: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly linkLocal: string;
  /** Where the other end of its cable is. */
  readonly far: { readonly namespace: string; readonly nic: string };
  readonly addressed: boolean;
  readonly gateway: { readonly ipv4: string; readonly ipv6: string } | undefined;
}

export const facility = { ipv4: '10.77.0.0/24', ipv6: 'fd77::/64' } as const;
const routerHost = 1;
const consoleHost = 2;
const nodeHost = 11;
const places_max = 200;

export function planBed(bed: string, plan: BedPlan): readonly PlacePlan[] {
  const nodes = plan.nodes ?? [];
  const offices = plan.offices ?? [];
  const names = [...nodes, ...offices.map((name) => `office-${name}`), 'console', 'router', 'facility'];
  if (names.length > places_max) throw new Error(`a bed holds at most ${places_max} places`);
  if (new Set(names).size !== names.length) throw new Error(`two places of one name: ${names.join(' ')}`);
  const wrong = names.find((name) => !/^[a-z][a-z0-9-]{0,30}$/.test(name));
  if (wrong !== undefined) throw new Error(`not a place's name: ${wrong}`);
  const inFacility = (name: string, kind: PlacePlan['kind'], host: number): PlacePlan => ({
    ...onSubnet(bed, name, kind, host, 0),
    far: { namespace: `${bed}-facility`, nic: `p${host}` },
    addressed: kind !== 'node' || plan.addressed !== false,
    gateway: kind === 'router' ? undefined : gatewayOf(0),
  });
  return [
    inFacility('router', 'router', routerHost),
    inFacility('console', 'console', consoleHost),
    ...nodes.map((name, index) => inFacility(name, 'node', nodeHost + index)),
    ...offices.map((name, index) => ({
      ...onSubnet(bed, `office-${name}`, 'office' as const, 10, index + 1),
      far: { namespace: `${bed}-router`, nic: `o${index + 1}` },
      addressed: true,
      gateway: gatewayOf(index + 1),
    })),
  ];
}

/** Subnet 0 is the facility's; the others are the offices', from the ranges kept for documentation. */
function onSubnet(
  bed: string,
  name: string,
  kind: PlacePlan['kind'],
  host: number,
  subnet: number,
): Omit<PlacePlan, 'far' | 'addressed' | 'gateway'> {
  return {
    name,
    kind,
    namespace: `${bed}-${name}`,
    nic: 'eth0',
    mac: `02:77:00:00:${hex(subnet)}:${hex(host)}`,
    ...addressesOf(subnet, host),
    linkLocal: `fe80::${subnet.toString(16)}:${host.toString(16)}`,
  };
}

function addressesOf(subnet: number, host: number): { ipv4: string; ipv6: string } {
  return subnet === 0
    ? { ipv4: `10.77.0.${host}`, ipv6: `fd77::${host.toString(16)}` }
    : { ipv4: `198.18.${subnet}.${host}`, ipv6: `2001:db8:${subnet.toString(16)}::${host.toString(16)}` };
}

function gatewayOf(subnet: number): { ipv4: string; ipv6: string } {
  return addressesOf(subnet, routerHost);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** First step: the namespaces and the cables between them, in one process. */
export function cableLines(bed: string, places: readonly PlacePlan[]): string[] {
  return [
    `netns add ${bed}-facility`,
    ...places.map((place) => `netns add ${place.namespace}`),
    ...places.map(
      ({ nic, namespace, mac, far }) =>
        `link add ${nic} netns ${namespace} address ${mac} type veth peer name ${far.nic} netns ${far.namespace}`,
    ),
  ];
}

/** Second step, one process for each namespace: the bridge, and what each place has inside. */
export function insideLines(bed: string, places: readonly PlacePlan[]): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  const bridged = places.filter((place) => place.far.namespace === `${bed}-facility`);
  lines.set(`${bed}-facility`, [
    'link set lo up',
    // Snooping would hold back neighbour discovery until somebody had asked for it.
    'link add br0 type bridge mcast_snooping 0',
    'link set br0 addrgenmode none',
    'link set br0 up',
    ...bridged.map(({ far }) => `link set ${far.nic} addrgenmode none master br0 up`),
  ]);
  for (const place of places) lines.set(place.namespace, placeLines(place));
  const router = lines.get(`${bed}-router`);
  const offices = places.filter((place) => place.kind === 'office');
  offices.forEach((place, index) => {
    const { ipv4, ipv6 } = gatewayOf(index + 1);
    router?.push(...nicLines(place.far.nic, ipv4, ipv6, `fe80::${index + 1}:1`));
  });
  return lines;
}

function placeLines(place: PlacePlan): string[] {
  if (!place.addressed) return ['link set lo up', `link set ${place.nic} up`];
  const { nic, ipv4, ipv6, linkLocal, gateway } = place;
  const lines = ['link set lo up', ...nicLines(nic, ipv4, ipv6, linkLocal)];
  if (gateway === undefined) return lines;
  return [...lines, `route add default via ${gateway.ipv4}`, `route add ::/0 via ${gateway.ipv6}`];
}

/** Addresses are made without duplicate detection, which would take a second or two. */
function nicLines(nic: string, ipv4: string, ipv6: string, linkLocal: string): string[] {
  return [
    `link set ${nic} addrgenmode none`,
    `link set ${nic} up`,
    `address add ${ipv4}/24 brd + dev ${nic}`,
    `address add ${ipv6}/64 dev ${nic} nodad`,
    `address add ${linkLocal}/64 dev ${nic} nodad`,
  ];
}
