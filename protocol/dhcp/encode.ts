import { ipv4Bytes } from '../ethernet/address.js';
import { optionCodes } from './options.js';
import { codec, type RawValue } from './package.js';
import { dhcpTypes, replyTypes, type ClasslessRoute, type DhcpOptions, type DhcpPacket } from './packet.js';

/** Shorter ones are dropped by some relays and old clients, because BOOTP's were never shorter. */
const packet_bytes_min = 300;

/** Writes a packet with the package's encoder, padded to the length that everyone takes. */
export function encodeDhcp(packet: DhcpPacket): Uint8Array {
  const options: Record<number, RawValue> = { 53: dhcpTypes[packet.type] };
  const { classlessRoutes = [], ...plain } = packet.options;
  const values: Readonly<Record<string, RawValue>> = {
    ...plain,
    classlessRoutes: routeBytes(classlessRoutes),
  };
  for (const [name, value] of Object.entries(values)) {
    const code = optionCodes.get(name as keyof DhcpOptions);
    if (code !== undefined && !isEmpty(value)) options[code] = value;
  }
  const { _data, _w } = codec.format({
    op: replyTypes.has(packet.type) ? 2 : 1,
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: packet.xid,
    secs: packet.secs,
    flags: packet.broadcast ? 0x8000 : 0,
    ciaddr: packet.ciaddr,
    yiaddr: packet.yiaddr,
    siaddr: packet.siaddr,
    giaddr: packet.giaddr,
    chaddr: packet.mac,
    sname: '',
    file: '',
    options,
  });
  return _data.subarray(0, Math.max(_w, packet_bytes_min));
}

/** The package would write an option of no length, which is not one. */
function isEmpty(value: RawValue): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}

function routeBytes(routes: readonly ClasslessRoute[]): readonly number[] {
  return routes.flatMap(({ network, length, router }) => [
    length,
    ...ipv4Bytes(network).subarray(0, Math.ceil(length / 8)),
    ...ipv4Bytes(router),
  ]);
}
