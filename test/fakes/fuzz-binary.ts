import * as fc from 'fast-check';
import { decodeFrame } from '../../bmonitor/filters/explain/decode.js';
import { readHeader, type LinkType } from '../../bmonitor/filters/explain/capture.js';
import { normaliseSet } from '../../bmonitor/filters/normalise.js';
import { parseFilterSet, parseNames } from '../../bmonitor/filters/parse.js';
import { decodeDhcp, encodeDhcp, type DhcpPacket } from '../../protocol/dhcp/index.js';
import { formatGatewayFrame, parseGatewayFrame, type GatewayFrame } from '../../protocol/gateway/frames.js';
import type { FuzzTarget } from './fuzz-targets.js';

type Change = readonly [where: number, kind: number, byte: number];
const changes = fc.array(
  fc.tuple(fc.nat(), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })),
  { maxLength: 4 },
);

/** Honest bytes with some of them changed, left out, doubled, or cut off. */
function altered(bytes: Uint8Array, list: readonly Change[]): Buffer {
  let result = Buffer.from(bytes);
  for (const [where, kind, byte] of list) {
    const at = result.length === 0 ? 0 : where % result.length;
    const [before, after] = [result.subarray(0, at), result.subarray(at + 1)];
    if (kind === 0) result = Buffer.concat([before, Buffer.of(byte), after]);
    else if (kind === 1) result = Buffer.concat([before, after]);
    else if (kind === 2) result = Buffer.concat([before, Buffer.of(byte), result.subarray(at)]);
    else result = Buffer.from(before);
  }
  return result;
}

function near(honest: readonly Uint8Array[], most: number): fc.Arbitrary<Buffer> {
  return fc.oneof(
    fc.tuple(fc.constantFrom(...honest), changes).map(([bytes, list]) => altered(bytes, list)),
    fc.uint8Array({ maxLength: most }).map((bytes) => Buffer.from(bytes)),
  );
}

const id = Buffer.alloc(32, 7).toString('base64url');
const gatewayFrames: readonly GatewayFrame[] = [
  { kind: 'challenge', body: { v: 1, nonce: id } },
  { kind: 'welcome', body: { v: 1, channels: 64 } },
  { kind: 'refused', body: { code: 'too-many', detail: 'later' } },
  { kind: 'open', channel: 7, body: { to: id } },
  { kind: 'open', channel: 7, body: { from: 'a customer' } },
  { kind: 'opened', channel: 7 },
  { kind: 'close', channel: 7, body: { code: 'unreachable' } },
  { kind: 'data', channel: 7, last: true, text: true, bytes: Buffer.from('H1') },
  { kind: 'credit', channel: 7, bytes: 65_536 },
];

const offer: DhcpPacket = {
  type: 'offer',
  xid: 0xdeadbeef,
  secs: 3,
  broadcast: true,
  ciaddr: '0.0.0.0',
  yiaddr: '10.1.2.3',
  siaddr: '10.1.2.1',
  giaddr: '0.0.0.0',
  mac: '02:00:00:00:00:01',
  options: {
    subnetMask: '255.255.255.0',
    routers: ['10.1.2.1'],
    dns: ['10.1.2.1'],
    hostname: 'node-1',
    lease_s: 3600,
    server: '10.1.2.1',
    classlessRoutes: [{ network: '10.9.0.0', length: 16, router: '10.1.2.1' }],
  },
};

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ethernet = '020000000002 020000000001';
const packets = [
  hex(
    `${ethernet} 0800 45000028 0000 4000 40 06 0000 0a000001 0a000002 0050 1f90 00000001 00000000 5002 ffff 0000 0000`,
  ),
  hex(
    `${ethernet} 86dd 60000000 0008 11 40 ${'20010db8'.padEnd(32, '0')} ${'20010db9'.padEnd(32, '0')} 0035 0035 0008 0000`,
  ),
  hex(`${ethernet} 8100 0001 0800 4500001c 0001 2000 40 01 0000 0a000001 0a000002 0800 0000 0000 0000`),
  hex(
    `${ethernet} 86dd 60000000 0010 2c 40 ${'20010db8'.padEnd(32, '0')} ${'20010db9'.padEnd(32, '0')} 3a000001 00000001 8000 0000 0000 0000`,
  ),
];
const captureHeaders = ['a1b2c3d4', 'd4c3b2a1', 'a1b23c4d', '0a0d0d0a'].map((magic) =>
  hex(`${magic} 0002 0004 00000000 00000000 0000ffff 00000001`),
);
const links: readonly LinkType[] = ['ethernet', 'cooked', 'cooked2', 'ip'];

const address = fc.constantFrom(
  '10.0.0.0/8',
  '10.0.0.1',
  '10.0.0.1-10.0.0.9',
  '2001:db8::/32',
  '::1',
  'internet',
  '1.2.3',
  '10.0.0.0/33',
  'node:web-1',
  '',
);
const filter = fc.record(
  {
    action: fc.constantFrom<unknown>('allow', 'deny', 'drop', 1),
    direction: fc.constantFrom<unknown>('in', 'out', 'both', 'up'),
    peers: fc.array(address, { maxLength: 3 }),
    protocol: fc.constantFrom<unknown>('tcp', 'udp', 'icmp', 'any', 6, 256, -1, 'frob'),
    ports: fc.array(fc.constantFrom<unknown>(22, '80-90', '90-80', 65_536, -1, 0, 'http', null), {
      maxLength: 3,
    }),
    service: fc.constantFrom('http', 'ssh', 'nothing'),
    oneway: fc.boolean(),
    note: fc.string(),
    other: fc.jsonValue(),
  },
  { requiredKeys: ['action'] },
);
const sets = fc.oneof(
  fc.record(
    {
      otherwise: fc.constantFrom('deny', 'inherit', 'allow'),
      onRefuse: fc.constantFrom('drop', 'reject', 'x'),
      filters: fc.array(filter, { maxLength: 4 }),
    },
    { requiredKeys: ['otherwise', 'filters'] },
  ),
  fc.jsonValue(),
);
const names = fc.oneof(
  fc.dictionary(
    fc.constantFrom('node:web-1', 'cluster:a', 'x', '__proto__'),
    fc.array(address, { maxLength: 3 }),
  ),
  fc.jsonValue(),
);

function target<T>(name: string, inputs: fc.Arbitrary<T>, check: (input: T) => void): FuzzTarget {
  return { name, inputs, check };
}

/** Parsers of bytes, and of filters. */
export const binaryTargets: readonly FuzzTarget[] = [
  target('gateway', near(gatewayFrames.map(formatGatewayFrame), 100), (bytes) => {
    const frame = parseGatewayFrame(bytes);
    if (!frame.ok) return;
    const again = parseGatewayFrame(formatGatewayFrame(frame.value));
    if (!again.ok || JSON.stringify(again.value) !== JSON.stringify(frame.value))
      throw new Error('a frame that was taken is not taken as it is written');
  }),
  target('dhcp', near([encodeDhcp(offer), encodeDhcp({ ...offer, type: 'discover' })], 600), (bytes) => {
    const before = Buffer.from(bytes);
    decodeDhcp(bytes);
    if (!before.equals(bytes)) throw new Error('a parser changed its input');
  }),
  target('captures', near([...packets, ...captureHeaders], 120), (bytes) => {
    readHeader(bytes);
    for (const link of links) decodeFrame({ seconds: 0, bytes, originalLength: bytes.length }, link);
  }),
  target('filters', fc.tuple(sets, names), ([value, named]) => {
    const before = JSON.stringify([value, named]);
    const set = parseFilterSet(value);
    const known = parseNames(named);
    if (set.ok && known.ok) normaliseSet(set.value, known.value);
    if (JSON.stringify([value, named]) !== before) throw new Error('a parser changed its input');
  }),
];
