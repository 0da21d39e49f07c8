import { expect } from 'chai';
import { addressBits, formatAddress, readRange } from '../../../../../bmonitor/filters/address.js';
import type { Box } from '../../../../../bmonitor/filters/boxes.js';
import { keysOf, possibleKeys } from '../../../../../bmonitor/filters/nft/elements.js';
import { choosePrefixes, lengthsOf, type PrefixKind } from '../../../../../bmonitor/filters/nft/prefixes.js';
import {
  anyService,
  hasPorts,
  protocolServices,
  serviceAt,
  servicePoint,
} from '../../../../../bmonitor/filters/protocols.js';

function box(peer: string, services: Box['services']): Box {
  const reading = readRange(peer);
  if (reading.kind !== 'range') throw new Error(peer);
  return { ...reading.range, direction: 'out', services, verdict: 'allow', filter: 0 };
}
const ports = (lo: number, hi: number): Box['services'] => ({
  lo: servicePoint(6, lo),
  hi: servicePoint(6, hi),
});

/** The key under which a packet looks in a hash of this kind, worked out as the kernel does: by masking. */
function lookedFor(kind: PrefixKind, family: 4 | 6, address: bigint, service: number): string {
  const { peer, port } = lengthsOf(kind);
  const rest = BigInt(addressBits[family] - peer);
  const masked = formatAddress(family, (address >> rest) << rest);
  const { protocol, port: number } = serviceAt(service);
  if (port === 'any') return masked;
  if (port === 'none') return `${masked} . ${protocol}`;
  return hasPorts(protocol)
    ? `${masked} . ${protocol} . ${(number ?? 0) & (0xffff << (16 - port))}`
    : 'short';
}

const peers = [
  '10.0.0.5',
  '10.0.0.4/30',
  '10.0.0.0/8',
  '10.0.0.2-10.0.0.5',
  '0.0.0.0/0',
  '2001:db8::4:0/112',
];
const services = [
  anyService,
  protocolServices(1),
  protocolServices(6),
  ports(443, 450),
  ports(0, 5),
  ports(8000, 8063),
  ports(61_440, 65_535),
];

describe('boxes as prefixes in hashes', () => {
  for (const peer of peers)
    for (const [at, service] of services.entries())
      it(`finds exactly what ${peer} and service ${at} hold, under one key`, () => {
        const one = box(peer, service);
        const choice = choosePrefixes(Array.from({ length: 40 }, () => one)).get(`out${one.family}`);
        const keys = keysOf(one, choice);
        const found = (address: bigint, point: number): number =>
          (choice?.kinds ?? []).filter((kind) =>
            keys.some((key) => key.kind === kind && key.key === lookedFor(kind, one.family, address, point)),
          ).length;
        const edges = [one.lo - 1n, one.lo, one.hi, one.hi + 1n].filter(
          (edge) => edge >= 0n && edge >> BigInt(addressBits[one.family]) === 0n,
        );
        const near = [
          service.lo - 1,
          service.lo,
          service.hi,
          service.hi + 1,
          servicePoint(6, 447),
          servicePoint(17, 80),
        ];
        expect(choice?.kinds).to.not.deep.equal([]);
        for (const address of edges)
          for (const point of near.filter((value) => value >= 0 && value <= anyService.hi)) {
            const within =
              address >= one.lo && address <= one.hi && point >= service.lo && point <= service.hi;
            expect(found(address, point), `${formatAddress(one.family, address)} ${point}`).to.equal(
              within ? 1 : 0,
            );
          }
      });

  it('leaves few boxes of a kind, and those that would be many prefixes, to the map of ranges', () => {
    const few = Array.from({ length: 20 }, (_, at) => box(`10.0.${at}.0/24`, ports(80, 80)));
    const odd = Array.from({ length: 100 }, (_, at) => box(`10.1.0.${at}-10.9.7.${at + 9}`, ports(80, 80)));
    expect(choosePrefixes([...few, ...odd]).get('out4')?.kinds).to.deep.equal([]);
  });

  it('counts a box by whichever key it has', () => {
    const one = box('10.0.0.0/24', ports(8000, 8063));
    expect(possibleKeys(one)).to.deep.equal([
      { kind: 'ranges', key: '10.0.0.0/24 . 6 . 8000-8063' },
      { kind: 'p24_10', key: '10.0.0.0 . 6 . 8000' },
    ]);
  });
});
