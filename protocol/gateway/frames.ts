import { bytesText, digestText, publicJwk } from '../fields.js';
import { parseJson } from '../json.js';
import { limits } from '../limits.js';
import { object, oneOf, optional, text, whole, type Parse, type Parsed } from '../parse.js';
import { ok, refuse, type Result } from '../result.js';

/**
 * What travels between a gateway and those who dial it: binary WebSocket messages, each one frame. The first byte is the
 * kind; the numbers are big-endian.
 *
 *   01 challenge  gateway → dialler   JSON
 *   02 proof      dialler → gateway   JSON
 *   03 welcome    gateway → dialler   JSON
 *   04 refused    gateway → dialler   JSON; the connection closes
 *   10 open       channel (4), JSON   a console names a node; a gateway tells the node
 *   11 opened     channel (4)
 *   12 close      channel (4), JSON
 *   13 data       channel (4), flags (1: bit 0 last piece of a message, bit 1 it is text), bytes
 *   14 credit     channel (4), bytes (4) that may be sent beyond what was granted before
 */
export const gatewayRoles = ['node', 'console'] as const;
export type GatewayRole = (typeof gatewayRoles)[number];

const challenge = object({ v: whole({ min: 1, max: 1 }), nonce: bytesText(32) });
const proof = object({
  v: whole({ min: 1, max: 1 }),
  role: oneOf(...gatewayRoles),
  key: publicJwk,
  jws: text({ max: 2000 }),
});
const welcome = object({ v: whole({ min: 1, max: 1 }), channels: whole({ min: 1, max: 65_536 }) });
const reason = object({ code: text({ max: 64 }), detail: optional(text({ min: 0, max: 500 })) });
const open = object({
  /** From a console: the thumbprint of the identity key of the node. */
  to: optional(digestText),
  /** To a node: whose channel it is, by what the gateway knows. Proves nothing to the node. */
  from: optional(text({ max: 100 })),
});
export type Proof = Parsed<typeof proof>;
export type Reason = Parsed<typeof reason>;

export type GatewayFrame =
  | { readonly kind: 'challenge'; readonly body: Parsed<typeof challenge> }
  | { readonly kind: 'proof'; readonly body: Proof }
  | { readonly kind: 'welcome'; readonly body: Parsed<typeof welcome> }
  | { readonly kind: 'refused'; readonly body: Reason }
  | { readonly kind: 'open'; readonly channel: number; readonly body: Parsed<typeof open> }
  | { readonly kind: 'opened'; readonly channel: number }
  | { readonly kind: 'close'; readonly channel: number; readonly body: Reason }
  | {
      readonly kind: 'data';
      readonly channel: number;
      readonly last: boolean;
      readonly text: boolean;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'credit'; readonly channel: number; readonly bytes: number };

const codes = {
  challenge: 0x01,
  proof: 0x02,
  welcome: 0x03,
  refused: 0x04,
  open: 0x10,
  opened: 0x11,
  close: 0x12,
  data: 0x13,
  credit: 0x14,
} as const;

export const dataHeadBytes = 6;

function withJson(code: number, channel: number | undefined, body: object): Buffer {
  const head = Buffer.alloc(channel === undefined ? 1 : 5);
  head[0] = code;
  if (channel !== undefined) head.writeUInt32BE(channel, 1);
  return Buffer.concat([head, Buffer.from(JSON.stringify(body))]);
}

export function formatGatewayFrame(frame: GatewayFrame): Buffer {
  switch (frame.kind) {
    case 'challenge':
    case 'proof':
    case 'welcome':
    case 'refused':
      return withJson(codes[frame.kind], undefined, frame.body);
    case 'open':
    case 'close':
      return withJson(codes[frame.kind], frame.channel, frame.body);
    case 'opened': {
      const bytes = Buffer.alloc(5);
      bytes[0] = codes.opened;
      bytes.writeUInt32BE(frame.channel, 1);
      return bytes;
    }
    case 'data': {
      const bytes = Buffer.allocUnsafe(dataHeadBytes + frame.bytes.length);
      bytes[0] = codes.data;
      bytes.writeUInt32BE(frame.channel, 1);
      bytes[5] = (frame.last ? 1 : 0) | (frame.text ? 2 : 0);
      bytes.set(frame.bytes, dataHeadBytes);
      return bytes;
    }
    case 'credit': {
      const bytes = Buffer.alloc(9);
      bytes[0] = codes.credit;
      bytes.writeUInt32BE(frame.channel, 1);
      bytes.writeUInt32BE(frame.bytes, 5);
      return bytes;
    }
  }
}

const bad = (detail: string): Result<never> => refuse('malformed', detail);

function jsonIn<T>(bytes: Buffer, parse: Parse<T>): Result<T> {
  if (bytes.length > 4096) return bad('a head of a frame is shorter');
  const json = parseJson(bytes);
  return json.ok ? parse(json.value, '') : json;
}

export function parseGatewayFrame(message: Uint8Array): Result<GatewayFrame> {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length > limits.gateway_frame_bytes_max) return bad('a frame is shorter');
  switch (bytes[0] ?? 0) {
    case codes.challenge:
      return bodied('challenge', bytes, challenge);
    case codes.proof:
      return bodied('proof', bytes, proof);
    case codes.welcome:
      return bodied('welcome', bytes, welcome);
    case codes.refused:
      return bodied('refused', bytes, reason);
    default:
      return inChannel(bytes);
  }
}

function bodied<K extends 'challenge' | 'proof' | 'welcome' | 'refused', T>(
  kind: K,
  bytes: Buffer,
  parse: Parse<T>,
): Result<{ readonly kind: K; readonly body: T }> {
  const body = jsonIn(bytes.subarray(1), parse);
  return body.ok ? ok({ kind, body: body.value }) : body;
}

function inChannel(bytes: Buffer): Result<GatewayFrame> {
  if (bytes.length < 5) return bad('a frame of a channel names it');
  const channel = bytes.readUInt32BE(1);
  switch (bytes[0] ?? 0) {
    case codes.open: {
      const body = jsonIn(bytes.subarray(5), open);
      return body.ok ? ok({ kind: 'open', channel, body: body.value }) : body;
    }
    case codes.close: {
      const body = jsonIn(bytes.subarray(5), reason);
      return body.ok ? ok({ kind: 'close', channel, body: body.value }) : body;
    }
    case codes.opened:
      return bytes.length === 5 ? ok({ kind: 'opened', channel }) : bad('opened has no more');
    case codes.data: {
      const flags = bytes[5];
      if (flags === undefined || flags > 3) return bad('data has flags from 0 to 3');
      const piece = bytes.subarray(dataHeadBytes);
      if (piece.length > limits.gateway_piece_bytes_max) return bad('a piece is shorter');
      // An empty piece that does not end a message would cost work and never any credit.
      if (piece.length === 0 && (flags & 1) === 0) return bad('an empty piece ends a message');
      return ok({ kind: 'data', channel, last: (flags & 1) !== 0, text: (flags & 2) !== 0, bytes: piece });
    }
    case codes.credit:
      return bytes.length === 9
        ? ok({ kind: 'credit', channel, bytes: bytes.readUInt32BE(5) })
        : bad('credit is four bytes');
    default:
      return bad('no known kind of frame');
  }
}
