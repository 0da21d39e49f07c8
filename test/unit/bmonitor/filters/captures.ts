/** Writes packets and captures byte by byte, in every form that the explainer reads. */
export interface CaptureForm {
  readonly little: boolean;
  readonly nanoseconds: boolean;
  readonly link: 'ethernet' | 'vlan' | 'cooked' | 'cooked2' | 'ip';
}

export const plainForm: CaptureForm = { little: true, nanoseconds: false, link: 'ethernet' };

const linkNumbers = { ethernet: 1, vlan: 1, cooked: 113, cooked2: 276, ip: 101 } as const;

export function address(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

export interface IpOptions {
  readonly id?: number;
  /** In bytes. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly hopLimit?: number;
}

export function ip(
  from: string,
  to: string,
  protocol: number,
  payload: Buffer,
  options: IpOptions = {},
): Buffer {
  return from.includes(':')
    ? ip6(from, to, protocol, payload, options)
    : ip4(from, to, protocol, payload, options);
}

function ip4(from: string, to: string, protocol: number, payload: Buffer, options: IpOptions): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(options.id ?? 0, 4);
  header.writeUInt16BE((options.more === true ? 0x2000 : 0) | ((options.offset ?? 0) >> 3), 6);
  header[8] = options.hopLimit ?? 64;
  header[9] = protocol;
  address(from).copy(header, 12);
  address(to).copy(header, 16);
  return Buffer.concat([header, payload]);
}

function ip6(from: string, to: string, protocol: number, payload: Buffer, options: IpOptions): Buffer {
  const fragmented = options.more === true || (options.offset ?? 0) > 0;
  const extension = fragmented ? Buffer.alloc(8) : Buffer.alloc(0);
  if (fragmented) {
    extension[0] = protocol;
    extension.writeUInt16BE((options.offset ?? 0) | (options.more === true ? 1 : 0), 2);
    extension.writeUInt32BE(options.id ?? 0, 4);
  }
  const header = Buffer.alloc(8);
  header[0] = 0x60;
  header.writeUInt16BE(extension.length + payload.length, 4);
  header[6] = fragmented ? 44 : protocol;
  header[7] = options.hopLimit ?? 64;
  return Buffer.concat([header, address(from), address(to), extension, payload]);
}

export const flags = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

export function tcp(source: number, destination: number, bits: number, acknowledges = 0): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(acknowledges, 8);
  header[12] = 0x50;
  header[13] = bits;
  return header;
}

export function udp(source: number, destination: number, data: Buffer = Buffer.from('data')): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt16BE(8 + data.length, 4);
  return Buffer.concat([header, data]);
}

export function icmp(type: number, id: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt16BE(id, 4);
  return Buffer.concat([header, data]);
}

function frame(packet: Buffer, link: CaptureForm['link']): Buffer {
  const type = (packet[0] ?? 0) >> 4 === 6 ? '86dd' : '0800';
  switch (link) {
    case 'ethernet':
      return Buffer.concat([Buffer.alloc(12), Buffer.from(type, 'hex'), packet]);
    case 'vlan':
      return Buffer.concat([Buffer.alloc(12), Buffer.from(`88a800058100000a${type}`, 'hex'), packet]);
    case 'cooked':
      return Buffer.concat([Buffer.alloc(14), Buffer.from(type, 'hex'), packet]);
    case 'cooked2':
      return Buffer.concat([Buffer.from(type, 'hex'), Buffer.alloc(18), packet]);
    case 'ip':
      return packet;
  }
}

export function capture(
  packets: readonly Buffer[],
  form: CaptureForm = plainForm,
  options: { readonly snap?: number; readonly gap_s?: number } = {},
): Buffer {
  const word = (value: number): Buffer => {
    const buffer = Buffer.alloc(4);
    if (form.little) buffer.writeUInt32LE(value);
    else buffer.writeUInt32BE(value);
    return buffer;
  };
  const version = form.little ? Buffer.from([2, 0, 4, 0]) : Buffer.from([0, 2, 0, 4]);
  const magic = word(form.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
  const snap = options.snap ?? 262_144;
  const header = Buffer.concat([magic, version, word(0), word(0), word(snap), word(linkNumbers[form.link])]);
  const records = packets.flatMap((packet, index) => {
    const bytes = frame(packet, form.link);
    const kept = bytes.subarray(0, snap);
    const seconds = 1_700_000_000 + Math.floor(index * (options.gap_s ?? 0));
    return [word(seconds), word(index), word(kept.length), word(bytes.length), kept];
  });
  return Buffer.concat([header, ...records]);
}

export async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
