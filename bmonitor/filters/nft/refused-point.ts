import type { RefusedPacket } from '../../ports/firewall.js';
import { formatAddress } from '../address.js';
import { addressValue, decodeFrame, transportOf } from '../explain/decode.js';
import { protocolName } from '../protocols.js';

/** A refused packet in a few words: whence, whither, and the port that it was for. */
export function refusedPoint({
  direction,
  packet: payload,
  at,
}: RefusedPacket): Readonly<Record<string, string | number>> {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const packet = decodeFrame({ bytes, originalLength: bytes.length, seconds: at / 1000 }, 'ip');
  if (typeof packet === 'string') return { direction };
  const transport = transportOf(packet);
  return {
    direction,
    from: formatAddress(packet.family, addressValue(packet, packet.sourceAt)),
    to: formatAddress(packet.family, addressValue(packet, packet.destinationAt)),
    protocol: protocolName(packet.protocol),
    ...(transport?.kind === 'ports' ? { port: transport.destination } : {}),
  };
}
