/** A pcap of raw IP with one packet: somebody opens a TCP connection to a port. */
export function captureOfOne(from: string, to: string, port: number): Buffer {
  const bytes = (address: string): readonly number[] => address.split('.').map(Number);
  const packet = Buffer.alloc(40);
  packet.set([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, ...bytes(from), ...bytes(to)]);
  packet.set([0x9c, 0x40, port >> 8, port & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff], 20);
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(101, 20);
  const frame = Buffer.alloc(16);
  frame.writeUInt32LE(packet.length, 8);
  frame.writeUInt32LE(packet.length, 12);
  return Buffer.concat([header, frame, packet]);
}
