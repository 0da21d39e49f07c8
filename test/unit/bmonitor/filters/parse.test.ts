import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { assert } from 'chai';
import * as fc from 'fast-check';
import { formatAddress, formatRange, parseAddress, readRange } from '../../../../bmonitor/filters/address.js';
import { noNames, normaliseSet } from '../../../../bmonitor/filters/normalise.js';
import { parseFilterSet, parseNames } from '../../../../bmonitor/filters/parse.js';
import {
  protocolNumbers,
  serviceAt,
  serviceBlocks,
  servicePoint,
  service_max,
} from '../../../../bmonitor/filters/protocols.js';
import { services } from '../../../../bmonitor/filters/services.js';
import { setArbitrary } from './sets.js';

const root = new URL('../../../../../', import.meta.url);
const schema = JSON.parse(readFileSync(fileURLToPath(new URL('docs/filters.schema.json', root)), 'utf8')) as {
  readonly $defs: {
    readonly filter: { readonly properties: { readonly service: { readonly enum: readonly string[] } } };
    readonly protocol: { readonly anyOf: readonly [{ readonly enum: readonly string[] }] };
  };
};
const fitsSchema = new Ajv2020({ strict: false }).compile(schema);

function refusal(value: unknown): { code: string; where: string | undefined } | undefined {
  const parsed = parseFilterSet(value);
  const result = parsed.ok ? normaliseSet(parsed.value, noNames) : parsed;
  return result.ok ? undefined : { code: result.refusal.code, where: result.refusal.where };
}

const one = (filter: unknown): unknown => ({ otherwise: 'deny', filters: [filter] });

/** Each: a filter that must be refused, and the place that must be named. */
const bad: readonly (readonly [filter: unknown, where: string, schemaKnows: boolean])[] = [
  [{}, 'filters[0].action', true],
  [{ action: 'permit' }, 'filters[0].action', true],
  [{ action: 'allow', port: [80] }, 'filters[0].port', true],
  [{ action: 'allow', direction: 'inout' }, 'filters[0].direction', true],
  [{ action: 'allow', peers: [] }, 'filters[0].peers', true],
  [{ action: 'allow', peers: '10.0.0.1' }, 'filters[0].peers', true],
  [{ action: 'allow', peers: [10] }, 'filters[0].peers[0]', true],
  [{ action: 'allow', peers: ['10.0.0.1', ''] }, 'filters[0].peers[1]', true],
  [{ action: 'allow', peers: ['10.0.0.256'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['010.0.0.1'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['10.0.0.1/24'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['10.0.0.0/33'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['10.0.0.9-10.0.0.1'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['10.0.0.1-2001:db8::1'] }, 'filters[0].peers[0]', true],
  [{ action: 'allow', peers: ['fe80::1%eth0'] }, 'filters[0].peers[0]', true],
  [{ action: 'allow', peers: ['::ffff:10.0.0.1'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['2001:db8:::1'] }, 'filters[0].peers[0]', false],
  [{ action: 'allow', peers: ['Node:web'] }, 'filters[0].peers[0]', true],
  [{ action: 'allow', protocol: 'tpc' }, 'filters[0].protocol', true],
  [{ action: 'allow', protocol: 256 }, 'filters[0].protocol', true],
  [{ action: 'allow', protocol: 1.5 }, 'filters[0].protocol', true],
  [{ action: 'allow', protocol: null }, 'filters[0].protocol', true],
  [{ action: 'allow', ports: [80] }, 'filters[0].ports', true],
  [{ action: 'allow', protocol: 'any', ports: [80] }, 'filters[0].ports', true],
  [{ action: 'allow', protocol: 'icmp', ports: [80] }, 'filters[0].ports', true],
  [{ action: 'allow', protocol: 'tcp', ports: ['80'] }, 'filters[0].ports[0]', true],
  [{ action: 'allow', protocol: 'tcp', ports: [80, 65536] }, 'filters[0].ports[1]', true],
  [{ action: 'allow', protocol: 'tcp', ports: ['90-80'] }, 'filters[0].ports[0]', false],
  [{ action: 'allow', protocol: 'tcp', ports: ['1-99999'] }, 'filters[0].ports[0]', false],
  [{ action: 'allow', service: 'htpp' }, 'filters[0].service', true],
  [{ action: 'allow', service: 'http', protocol: 'tcp' }, 'filters[0].service', true],
  [{ action: 'deny', oneway: true }, 'filters[0].oneway', true],
  [{ action: 'allow', oneway: 'yes' }, 'filters[0].oneway', true],
  [{ action: 'allow', note: 7 }, 'filters[0].note', true],
  [{ action: 'allow', peers: ['node:unknown'] }, 'filters[0].peers[0]', false],
];

const anything = fc.anything({ maxDepth: 4 });
/** Sets with something put in the place of something else. */
const damaged = fc
  .tuple(
    setArbitrary(3),
    fc.constantFrom('action', 'direction', 'peers', 'protocol', 'ports', 'oneway', 'x'),
    anything,
  )
  .map(([set, field, value]) => ({
    ...set,
    filters: set.filters.map((filter, index) => (index === 0 ? { ...filter, [field]: value } : filter)),
  }));

describe('reading a filter set', () => {
  for (const [filter, where] of bad)
    it(`refuses ${JSON.stringify(filter)} and names ${where}`, () => {
      assert.deepEqual(refusal(one(filter)), { code: 'bad-input', where });
    });

  it('refuses sets without a word on what happens otherwise, and words it does not know', () => {
    assert.equal(refusal({ filters: [] })?.where, 'otherwise');
    assert.equal(refusal({ otherwise: 'allow', filters: [] })?.where, 'otherwise');
    assert.equal(refusal({ otherwise: 'deny' })?.where, 'filters');
    assert.equal(refusal({ otherwise: 'deny', filters: [], onRefuse: 'tarpit' })?.where, 'onRefuse');
    assert.equal(refusal({ otherwise: 'deny', filters: [], rules: [] })?.where, 'rules');
    assert.isDefined(refusal(null));
    assert.isDefined(refusal([]));
  });

  it('refuses what is too long or multiplies to too much', () => {
    const many = Array.from({ length: 4097 }, (_, index) => index);
    assert.equal(refusal(one({ action: 'allow', protocol: 'tcp', ports: many }))?.code, 'too-large');
    assert.equal(refusal(one({ action: 'allow', note: 'x'.repeat(201) }))?.code, 'too-large');
    const ports = many.slice(1, 4000).map((port) => port * 2);
    const peers = ports.map((_, index) => `10.0.${index >> 7}.${(index & 127) * 2}`);
    assert.equal(refusal(one({ action: 'allow', protocol: 'tcp', ports, peers }))?.code, 'too-large');
  });

  it('answers any input at all with a set or a refusal', () => {
    fc.assert(
      fc.property(fc.oneof(anything, damaged), (value) => {
        const parsed = parseFilterSet(value);
        if (parsed.ok) normaliseSet(parsed.value, noNames);
        parseNames(value);
      }),
      { numRuns: 3000 },
    );
  });

  it('resolves names, and lets a name stand for nobody', () => {
    const names = parseNames({ 'node:web-1': ['10.3.0.7'], 'cluster:empty': [] });
    if (!names.ok) throw new Error(names.refusal.detail);
    const set = parseFilterSet(one({ action: 'allow', peers: ['node:web-1', 'cluster:empty'] }));
    if (!set.ok) throw new Error(set.refusal.detail);
    const normal = normaliseSet(set.value, names.value);
    assert.deepEqual(normal.ok ? normal.value.filters[0]?.peers.map(formatRange) : [], ['10.3.0.7']);
    assert.isFalse(parseNames({ 'node:a': ['node:b'] }).ok);
    assert.isFalse(parseNames({ '10.0.0.1': ['10.0.0.2'] }).ok);
  });
});

describe('docs/filters.schema.json', () => {
  it('agrees with the parser on what is refused for its form', () => {
    for (const [filter, , schemaKnows] of bad)
      assert.equal(fitsSchema(one(filter)), !schemaKnows, JSON.stringify(filter));
  });

  it('takes whatever the parser takes, and the parser refuses whatever it refuses', () => {
    fc.assert(
      fc.property(fc.oneof(setArbitrary(4), damaged), (value) => {
        const clean = JSON.parse(JSON.stringify(value)) as unknown;
        const parsed = parseFilterSet(clean).ok;
        if (parsed) assert.isTrue(fitsSchema(clean), JSON.stringify(fitsSchema.errors));
        if (!fitsSchema(clean)) assert.isFalse(parsed);
      }),
      { numRuns: 500 },
    );
  });

  it('knows the services and protocols that the parser knows', () => {
    assert.deepEqual(schema.$defs.filter.properties.service.enum, [...services.keys()]);
    assert.deepEqual(schema.$defs.protocol.anyOf[0].enum, ['any', ...protocolNumbers.keys()]);
  });
});

describe('addresses', () => {
  it('are written and read back as the same number, in both families', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 6 as const),
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        (family, value) => {
          const number = family === 4 ? value & 0xffff_ffffn : value;
          const text = formatAddress(family, number);
          if (family === 6 && number >> 32n === 0xffffn) assert.isUndefined(parseAddress(text));
          else assert.deepEqual(parseAddress(text), { family, value: number }, text);
        },
      ),
    );
  });

  it('agree with the platform on what is an IPv6 address', () => {
    const group = fc.constantFrom('', '0', '1', 'ffff', 'db8', '12345', 'g', '1.2.3.4');
    fc.assert(
      fc.property(fc.array(group, { minLength: 2, maxLength: 9 }), (groups) => {
        const text = groups.join(':');
        let platform = true;
        try {
          void new URL(`http://[${text}]/`);
        } catch {
          platform = false;
        }
        const ours = parseAddress(text);
        if (ours !== undefined) assert.isTrue(platform, text);
        else if (platform) assert.match(new URL(`http://[${text}]/`).hostname, /^\[::ffff:/u, text);
      }),
      { numRuns: 3000 },
    );
  });

  it('are spelled as RFC 5952 wants', () => {
    for (const [value, text] of [
      [0n, '::'],
      [1n, '::1'],
      [0x2001_0db8n << 96n, '2001:db8::'],
      [0x2001_0db8_0000_0001_0001_0001_0001_0001n, '2001:db8:0:1:1:1:1:1'],
      [0x2001_0000_0000_0001_0000_0000_0000_0001n, '2001:0:0:1::1'],
    ] as const)
      assert.equal(formatAddress(6, value), text);
  });

  it('are ranged in the shortest words', () => {
    for (const [given, words] of [
      ['10.0.0.0-10.0.0.255', '10.0.0.0/24'],
      ['10.0.0.1-10.0.0.1', '10.0.0.1'],
      ['10.0.0.1-10.0.0.2', '10.0.0.1-10.0.0.2'],
      ['0.0.0.0-255.255.255.255', '0.0.0.0/0'],
      ['2001:db8::-2001:db8::ffff', '2001:db8::/112'],
    ] as const) {
      const reading = readRange(given);
      assert.equal(reading.kind === 'range' ? formatRange(reading.range) : '', words);
    }
  });
});

describe('the service axis', () => {
  it('gives every protocol and port a point of its own, and finds the way back', () => {
    fc.assert(
      fc.property(fc.nat({ max: service_max }), (point) => {
        const { protocol, port } = serviceAt(point);
        assert.equal(servicePoint(protocol, port ?? 0), point);
      }),
    );
  });

  it('cuts any stretch into at most three blocks that hold the same points', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: service_max }),
        fc.nat({ max: service_max }),
        fc.nat({ max: service_max }),
        (a, b, point) => {
          const range = { lo: Math.min(a, b), hi: Math.max(a, b) };
          const blocks = serviceBlocks(range);
          assert.isAtMost(blocks.length, 3);
          const { protocol, port } = serviceAt(point);
          const holding = blocks.filter(
            ({ protocols, ports }) =>
              protocols.lo <= protocol &&
              protocols.hi >= protocol &&
              (port === null || (ports.lo <= port && ports.hi >= port)),
          );
          assert.lengthOf(holding, point >= range.lo && point <= range.hi ? 1 : 0);
        },
      ),
    );
  });
});
