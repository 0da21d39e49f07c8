import { createRequire } from 'node:module';

/**
 * The `dhcp` package, of which we use the encoder and the decoder. It is CommonJS without types; these are the parts that we touch.
 * What it gets wrong, and what is done about it, stands in docs/decisions/0013-dhcp.md.
 */
interface RawMessage {
  readonly op: number;
  readonly htype: number;
  readonly hlen: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  readonly chaddr: string;
  readonly sname: string;
  readonly file: string;
  readonly options: Readonly<Record<number, RawValue>>;
}
export type RawValue = number | string | boolean | readonly number[] | readonly string[];
export type { RawMessage };

interface SeqBuffer {
  readonly _data: Buffer;
  /** How much of the buffer was written. */
  readonly _w: number;
}

interface Protocol {
  parse(bytes: Buffer): RawMessage & { readonly magicCookie: number };
  format(message: RawMessage): SeqBuffer;
}

interface Options {
  addOption(code: number, option: { name: string; type: string; attr?: string; config?: string }): void;
}

const require = createRequire(import.meta.url);
export const codec = require('dhcp/lib/protocol.js') as Protocol;
const options = require('dhcp/lib/options.js') as Options;

/** The package reads these as text or as lists of addresses, which they are not. */
options.addOption(61, { name: 'Client-Identifier', type: 'UInt8s', attr: 'clientId' });
options.addOption(121, { name: 'Classless Routes', type: 'UInt8s', config: 'classlessRoute' });
/** Ours, from the range that is free for private use: where nodes find the gateway of their console. */
options.addOption(224, { name: 'Console Gateway', type: 'ASCII', config: 'consoleGateway' });
