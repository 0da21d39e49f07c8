/** The package has no types of its own. Only what is used here. */
declare module 'pcap-parser' {
  import type { Readable } from 'node:stream';

  export interface PacketHeader {
    readonly timestampSeconds: number;
    readonly timestampMicroseconds: number;
    readonly capturedLength: number;
    readonly originalLength: number;
  }

  export interface Parser {
    on(event: 'packet', listener: (packet: { header: PacketHeader; data: Buffer }) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'end', listener: () => void): this;
  }

  const pcapParser: { parse(input: Readable): Parser };
  export default pcapParser;
}
