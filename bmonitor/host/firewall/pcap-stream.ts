import type { RefusedPacket } from '../../ports/firewall.js';

/**
 * Reads what `tcpdump -i nflog:N -w -` writes: a classic capture of link type NFLOG, where each packet is a row of
 * type-length-value records of the kernel's log (linux/netfilter/nfnetlink_log.h).
 */
const fileHeader_bytes = 24;
const recordHeader_bytes = 16;
const nflogHeader_bytes = 4;
const magicMicro = 0xa1b2c3d4;
const magicNano = 0xa1b23c4d;
/** A record is at most what the rule copies, and some headers. */
const record_bytes_max = 65_536;

const tlv = { packetHeader: 1, payload: 9, prefix: 10 } as const;

/** Netfilter's numbers of hooks. */
const directionOfHook = ['in', 'in', 'forward', 'out', 'out'] as const;

interface Logged {
  readonly direction: RefusedPacket['direction'];
  readonly prefix: string;
  readonly payload: Uint8Array;
}

function logged(bytes: Buffer): Logged | undefined {
  let direction: RefusedPacket['direction'] = 'in';
  let prefix = '';
  let payload: Uint8Array | undefined;
  for (let at = nflogHeader_bytes; at + 4 <= bytes.length;) {
    // Lengths and types are in the byte order of the machine that wrote them, which is this one.
    const length = bytes.readUInt16LE(at);
    const type = bytes.readUInt16LE(at + 2);
    if (length < 4 || at + length > bytes.length) return undefined;
    const value = bytes.subarray(at + 4, at + length);
    if (type === tlv.packetHeader) direction = directionOfHook[value[2] ?? 0] ?? 'in';
    else if (type === tlv.prefix) prefix = value.toString('latin1').replace(/\0.*$/su, '');
    else if (type === tlv.payload) payload = Uint8Array.from(value);
    at += (length + 3) & ~3;
  }
  return payload === undefined ? undefined : { direction, prefix, payload };
}

export class NflogReader {
  #held: Buffer = Buffer.alloc(0);
  #started = false;
  #nano = false;

  /** Whole packets that these bytes complete. Throws if this is no such capture. */
  read(data: Buffer): readonly (Logged & { readonly at: number })[] {
    this.#held = this.#held.length === 0 ? data : Buffer.concat([this.#held, data]);
    if (!this.#started && !this.#readHeader()) return [];
    const packets: (Logged & { readonly at: number })[] = [];
    let at = 0;
    while (this.#held.length - at >= recordHeader_bytes) {
      const length = this.#held.readUInt32LE(at + 8);
      if (length > record_bytes_max) throw new Error('a record of the log is larger than any can be');
      const end = at + recordHeader_bytes + length;
      if (end > this.#held.length) break;
      const found = logged(this.#held.subarray(at + recordHeader_bytes, end));
      const fraction = this.#held.readUInt32LE(at + 4) / (this.#nano ? 1e6 : 1e3);
      if (found !== undefined) packets.push({ ...found, at: this.#held.readUInt32LE(at) * 1000 + fraction });
      at = end;
    }
    this.#held = this.#held.subarray(at);
    return packets;
  }

  #readHeader(): boolean {
    if (this.#held.length < fileHeader_bytes) return false;
    const magic = this.#held.readUInt32LE(0);
    if (magic !== magicMicro && magic !== magicNano) throw new Error('this is not a capture');
    this.#nano = magic === magicNano;
    this.#held = this.#held.subarray(fileHeader_bytes);
    return (this.#started = true);
  }
}
