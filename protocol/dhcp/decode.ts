import { ipv4At, isMachineMac } from '../ethernet/address.js';
import { messageOf } from '../log.js';
import { ok, refuse, type Result } from '../result.js';
import { normalise } from './normalise.js';
import { optionForms } from './options.js';
import { codec, type RawMessage } from './package.js';
import {
  dhcpTypes,
  replyTypes,
  type ClasslessRoute,
  type DhcpOptions,
  type DhcpPacket,
  type DhcpType,
} from './packet.js';

function bad(detail: string, where: string): Result<never> {
  return refuse('dhcp-malformed', detail, { where });
}

/** Reads a packet: our normaliser, the package's decoder, our judgement of what came out of it. */
export function decodeDhcp(bytes: Uint8Array): Result<DhcpPacket> {
  const plain = normalise(bytes);
  if (!plain.ok) return plain;
  let raw: RawMessage;
  try {
    raw = codec.parse(plain.value);
  } catch (error) {
    return refuse('dhcp-malformed', messageOf(error));
  }
  const type = typeOf(raw);
  if (type === undefined) return bad('is not a kind of DHCP packet', 'option 53');
  if ((raw.op === 2) !== replyTypes.has(type)) return bad(`does not fit a ${type}`, 'op');
  const mac = raw.chaddr.toLowerCase().replaceAll('-', ':');
  if (!isMachineMac(mac)) return bad("is not one machine's", 'chaddr');
  const options = optionsOf(raw);
  if (!options.ok) return options;
  return ok({
    type,
    xid: raw.xid,
    secs: raw.secs,
    broadcast: (raw.flags & 0x8000) !== 0,
    ciaddr: raw.ciaddr,
    yiaddr: raw.yiaddr,
    siaddr: raw.siaddr,
    giaddr: raw.giaddr,
    mac,
    options: options.value,
  });
}

const typeByNumber: ReadonlyMap<unknown, DhcpType> = new Map(
  (Object.keys(dhcpTypes) as DhcpType[]).map((type) => [dhcpTypes[type], type]),
);

function typeOf(raw: RawMessage): DhcpType | undefined {
  return typeByNumber.get(raw.options[53]);
}

function optionsOf(raw: RawMessage): Result<DhcpOptions> {
  const options: Record<string, unknown> = {};
  for (const [code, { kind, name }] of optionForms) {
    const value = raw.options[code];
    if (value === undefined || name === 'type') continue;
    if (kind !== 'routes') {
      options[name] = value;
      continue;
    }
    const routes = routesOf(Uint8Array.from(value as readonly number[]));
    if (!routes.ok) return routes;
    options[name] = routes.value;
  }
  return ok(options);
}

/** RFC 3442: the length of a prefix, its significant bytes, a router; and so on. */
export function routesOf(bytes: Uint8Array): Result<readonly ClasslessRoute[]> {
  const routes: ClasslessRoute[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes[at] ?? 0;
    const significant = Math.ceil(length / 8);
    const next = at + 1 + significant + 4;
    if (length > 32 || next > bytes.length) return bad('is no list of routes', 'option 121');
    const network = new Uint8Array(4);
    network.set(bytes.subarray(at + 1, at + 1 + significant));
    routes.push({ network: network.join('.'), length, router: ipv4At(bytes, next - 4) });
    at = next;
  }
  return ok(routes);
}
