import { limits } from '../limits.js';
import { ok, refuse, type Result } from '../result.js';
import { optionForms, type OptionKind } from './options.js';

const headBytes = 236;
const magic = 0x63825363;
const pad = 0;
const end = 255;
const overload = 52;
const value_bytes_max = 255;

function bad(detail: string, where?: string): Result<never> {
  return refuse('dhcp-malformed', detail, where === undefined ? {} : { where });
}

/**
 * What stands before the package's decoder: a packet that is well formed comes out in one plain form, which the decoder cannot
 * misread; everything else is refused. In the plain form there is no padding, each option stands once and whole (RFC 3396), options
 * that were put into the name fields stand with the others (RFC 2132, 9.3), lengths are right for their kinds, texts are
 * printable ASCII, options we do not know are gone, and the name fields, which we do not use, are empty.
 */
export function normalise(bytes: Uint8Array): Result<Buffer> {
  const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (packet.length > limits.dhcp_packet_bytes_max) return bad('is too long');
  if (packet.length < headBytes + 4) return bad('is cut short');
  const op = packet.readUInt8(0);
  if (op !== 1 && op !== 2) return bad('neither asks nor answers', 'op');
  if (packet.readUInt16BE(1) !== 0x0106) return bad('is not for Ethernet', 'htype');
  if (packet.readUInt32BE(headBytes) !== magic) return bad('has no options', 'magic');
  const found = new Map<number, Buffer[]>();
  const main = collect(packet.subarray(headBytes + 4), found);
  if (!main.ok) return main;
  const more = overloaded(packet, found);
  if (!more.ok) return more;
  const head = Buffer.alloc(headBytes + 4);
  packet.copy(head, 0, 0, 44);
  head.writeUInt32BE(magic, headBytes);
  const parts: Uint8Array[] = [head];
  for (const [code, pieces] of found) {
    const form = optionForms.get(code);
    if (form === undefined) continue;
    const value = valueOf(code, form.kind, Buffer.concat(pieces));
    if (!value.ok) return value;
    if (value.value.length > 0) parts.push(Uint8Array.of(code, value.value.length), value.value);
  }
  parts.push(Uint8Array.of(end));
  return ok(Buffer.concat(parts));
}

/** One field of options, to its end mark. */
function collect(field: Buffer, found: Map<number, Buffer[]>): Result<void> {
  for (let at = 0; at < field.length;) {
    const code = field.readUInt8(at);
    if (code === end) return ok(undefined);
    if (code === pad) {
      at++;
      continue;
    }
    const length = field[at + 1];
    if (length === undefined || at + 2 + length > field.length)
      return bad('is cut short', `option ${String(code)}`);
    const pieces = found.get(code) ?? [];
    pieces.push(field.subarray(at + 2, at + 2 + length));
    found.set(code, pieces);
    at += 2 + length;
  }
  return bad('has no end mark', 'options');
}

/** Options that continue in the fields `file` and `sname`, in this order. */
function overloaded(packet: Buffer, found: Map<number, Buffer[]>): Result<void> {
  const said = found.get(overload);
  if (said === undefined) return ok(undefined);
  const [value] = said;
  const which = value?.length === 1 && said.length === 1 ? value[0] : undefined;
  if (which === undefined || which < 1 || which > 3) return bad('must be 1, 2 or 3', 'option 52');
  if (which !== 2) {
    const file = collect(packet.subarray(108, headBytes), found);
    if (!file.ok) return file;
  }
  if (which === 1) return ok(undefined);
  return collect(packet.subarray(44, 108), found);
}

function valueOf(code: number, kind: OptionKind, value: Buffer): Result<Buffer> {
  const where = `option ${code}`;
  if (value.length > value_bytes_max) return bad('is too long', where);
  switch (kind) {
    case 'u8':
      return value.length === 1 ? ok(value) : bad('must be one byte', where);
    case 'u16':
      return value.length === 2 ? ok(value) : bad('must be two bytes', where);
    case 'u32':
    case 'ip':
      return value.length === 4 ? ok(value) : bad('must be four bytes', where);
    case 'ips':
      return value.length > 0 && value.length % 4 === 0
        ? ok(value)
        : bad('must be a list of addresses', where);
    case 'text':
      return ok(printable(value));
    case 'bytes':
    case 'routes':
      return value.length > 0 ? ok(value) : bad('is empty', where);
  }
}

/** Some clients end texts with a zero, some write UTF-8: a text that is not printable ASCII is left out, not the packet. */
function printable(value: Buffer): Buffer {
  let length = value.length;
  while (length > 0 && value[length - 1] === 0) length--;
  const text = value.subarray(0, length);
  return text.every((byte) => byte >= 0x20 && byte < 0x7f) ? text : Buffer.alloc(0);
}
