import { assert } from 'chai';
import * as fc from 'fast-check';
import { compileSet } from '../../../../bmonitor/filters/compile.js';
import { explainCapture, type Outcome } from '../../../../bmonitor/filters/explain/index.js';
import type { Filter, FilterSet } from '../../../../bmonitor/filters/model.js';
import type { Result } from '../../../../protocol/result.js';
import {
  address,
  capture,
  flags,
  icmp,
  ip,
  pieces,
  plainForm,
  tcp,
  udp,
  type CaptureForm,
} from './captures.js';
import { normal, numberOf } from './sets.js';

const own = ['10.0.0.7', '2001:db8::7'];
const peer = '10.0.0.1';
const peer6 = '2001:db8::1';
const node = '10.0.0.7';
const node6 = '2001:db8::7';
const { syn, ack, fin, rst } = flags;

interface Given {
  readonly whole?: boolean;
  readonly form?: CaptureForm;
  readonly piece?: number;
}

async function explainBytes(
  sets: readonly FilterSet[],
  bytes: Buffer,
  { whole = false, piece = bytes.length }: Given = {},
): Promise<{ readonly result: Result<unknown>; readonly outcomes: readonly Outcome[] }> {
  const levels = sets.map((set) => {
    const compiled = compileSet(normal(set));
    if (!compiled.ok) throw new Error(compiled.refusal.detail);
    return compiled.value;
  });
  const addresses = own.map((text) => ({
    family: text.includes(':') ? (6 as const) : (4 as const),
    lo: numberOf(text),
    hi: numberOf(text),
  }));
  const outcomes: Outcome[] = [];
  const result = await explainCapture(
    pieces(bytes, piece),
    { levels, addresses, whole },
    (number, outcome) => {
      assert.equal(number, outcomes.length + 1, 'packets come in order');
      outcomes.push(outcome);
    },
  );
  return { result, outcomes };
}

async function explain(
  filters: readonly Filter[] | readonly FilterSet[],
  packets: readonly Buffer[],
  given: Given = {},
): Promise<readonly string[]> {
  const sets = filters.every((one): one is FilterSet => 'otherwise' in one)
    ? filters
    : [{ otherwise: 'deny' as const, filters }];
  const { result, outcomes } = await explainBytes(sets, capture(packets, given.form ?? plainForm), given);
  assert.isTrue(result.ok);
  return outcomes.map((outcome) => outcome.verdict);
}

const web: Filter[] = [{ action: 'allow', direction: 'in', protocol: 'tcp', ports: [80] }];
const handshake = [
  ip(peer, node, 6, tcp(4000, 80, syn)),
  ip(node, peer, 6, tcp(80, 4000, syn | ack)),
  ip(peer, node, 6, tcp(4000, 80, ack)),
  ip(node, peer, 6, tcp(80, 4000, ack)),
];

describe('explaining a capture', () => {
  it('follows a connection, and passes replies only with it', async () => {
    assert.deepEqual(await explain(web, handshake), ['pass', 'pass', 'pass', 'pass']);
    assert.deepEqual(await explain([{ ...web[0], action: 'allow', oneway: true }], handshake), [
      'pass',
      'drop',
      'pass',
      'drop',
    ]);
    assert.deepEqual(await explain([], [handshake[0] ?? Buffer.alloc(0)]), ['drop']);
  });

  it('names the level and the filter that decide', async () => {
    const sets: FilterSet[] = [
      { otherwise: 'deny', filters: [{ action: 'deny', peers: ['10.0.0.9'] }, { action: 'allow' }] },
      {
        otherwise: 'inherit',
        filters: [
          { action: 'allow', protocol: 'tcp', ports: [80] },
          { action: 'deny', protocol: 'udp' },
        ],
      },
    ];
    const packets = [
      ip('10.0.0.9', node, 6, tcp(1, 80, syn)),
      ip(peer, node, 6, tcp(1, 80, syn)),
      ip(peer, node, 17, udp(1, 53)),
      ip(peer, node, 47, Buffer.alloc(8)),
    ];
    const { outcomes } = await explainBytes(sets, capture(packets));
    assert.deepEqual(
      outcomes.map(({ verdict, level, filter }) => [verdict, level, filter]),
      [
        ['drop', 0, 0],
        ['pass', 1, 0],
        ['drop', 1, 1],
        ['pass', 0, 1],
      ],
    );
  });

  it('says ambiguous for what began before the capture, and knows better when told that it is whole', async () => {
    const later = handshake.slice(2);
    assert.deepEqual(await explain(web, later), ['ambiguous', 'ambiguous']);
    assert.deepEqual(await explain(web, later, { whole: true }), ['drop', 'drop']);
    assert.deepEqual(await explain([], later), ['drop', 'drop']);
    assert.deepEqual(await explain(web, [...later, ...handshake]), [
      'ambiguous',
      'ambiguous',
      'pass',
      'pass',
      'pass',
      'pass',
    ]);
  });

  it('drops the rest of a connection whose beginning it saw refused', async () => {
    const others: Filter[] = [
      { action: 'allow', direction: 'in', protocol: 'tcp', ports: [4000] },
      { action: 'allow', direction: 'out' },
    ];
    assert.deepEqual(await explain(others, handshake), ['drop', 'drop', 'drop', 'drop']);
  });

  it('does not take a reply for something the node started', async () => {
    const filters: Filter[] = [
      { action: 'allow', direction: 'in', protocol: 'udp', ports: [53], oneway: true },
      { action: 'allow', direction: 'out', protocol: 'udp' },
    ];
    const packets = [ip(peer, node, 17, udp(5000, 53)), ip(node, peer, 17, udp(53, 5000))];
    assert.deepEqual(await explain(filters, packets), ['pass', 'drop']);
    assert.deepEqual(await explain(filters, [...packets].reverse()), ['pass', 'pass']);
  });

  it('takes what comes back after an acknowledgement for a reply, as the kernel does', async () => {
    const both: Filter[] = [{ action: 'allow', protocol: 'tcp', oneway: true }];
    const packets = [ip(node, peer, 6, tcp(4000, 80, ack)), ip(peer, node, 6, tcp(80, 4000, syn | ack))];
    assert.deepEqual(await explain(both, packets, { whole: true }), ['pass', 'drop']);
    assert.deepEqual(await explain(both, [...packets].reverse(), { whole: true }), ['pass', 'pass']);
    assert.deepEqual(await explain([{ action: 'allow' }], packets, { whole: true }), ['drop', 'drop']);
  });

  it('takes no packet with impossible flags for a part of a connection', async () => {
    const impossible = [0, fin, syn | fin, syn | rst, fin | rst | ack].map((wrong) =>
      ip(peer, node, 6, tcp(4000, 80, wrong)),
    );
    const dropped = impossible.map(() => 'drop');
    assert.deepEqual((await explain(web, [...handshake, ...impossible])).slice(4), dropped);
    assert.deepEqual(await explain(web, impossible), dropped);
    const oneway: Filter[] = [{ action: 'allow', protocol: 'tcp', oneway: true }];
    assert.notInclude(await explain(oneway, impossible), 'drop');
  });

  it('takes no reset for a part of a connection that acknowledges what nobody can have sent', async () => {
    const [start, answer] = handshake;
    assert.isDefined(start);
    assert.isDefined(answer);
    const reset = (acknowledges: number, flags: number): Buffer =>
      ip(peer, node, 6, tcp(4000, 80, flags, acknowledges));
    assert.deepEqual(await explain(web, [start, reset(2, rst | ack)]), ['pass', 'drop']);
    assert.deepEqual(await explain(web, [start, reset(0, rst | ack)]), ['pass', 'pass']);
    assert.deepEqual(await explain(web, [start, reset(2, rst)]), ['pass', 'pass']);
    assert.deepEqual(await explain(web, [start, answer, reset(2, rst | ack)]), ['pass', 'pass', 'pass']);
    assert.deepEqual(await explain(web, [start, reset(2, rst), reset(2, rst | ack), reset(2, ack)]), [
      'pass',
      'pass',
      'pass',
      'drop',
    ]);
  });

  it('drops an advertisement of a neighbour that claims an address of the node', async () => {
    const claim = (target: string): Buffer =>
      ip(peer6, node6, 58, Buffer.concat([icmp(136, 0), address(target)]), { hopLimit: 255 });
    assert.deepEqual(await explain([{ action: 'allow' }], [claim(node6), claim(peer6)]), ['drop', 'ignored']);
  });

  it('lets a connection end, and the next one with the same ports begin', async () => {
    const closing = [
      ip(peer, node, 6, tcp(4000, 80, fin | ack)),
      ip(node, peer, 6, tcp(80, 4000, fin | ack)),
      ip(peer, node, 6, tcp(4000, 80, ack)),
    ];
    const reset = [ip(peer, node, 6, tcp(4000, 80, rst))];
    assert.notInclude(
      await explain(web, [...handshake, ...closing, ...handshake, ...reset, ...handshake]),
      'drop',
    );
  });

  it('passes pings as one flow, and errors with the connection they are about', async () => {
    const ping: Filter[] = [{ action: 'allow', direction: 'out', protocol: 'icmp' }];
    assert.deepEqual(
      await explain(ping, [
        ip(node, peer, 1, icmp(8, 7)),
        ip(peer, node, 1, icmp(0, 7)),
        ip(peer, node, 1, icmp(8, 7)),
      ]),
      ['pass', 'pass', 'drop'],
    );
    assert.deepEqual(
      await explain(ping, [ip(node6, peer6, 58, icmp(128, 7)), ip(peer6, node6, 58, icmp(129, 7))]),
      ['pass', 'pass'],
    );
    const out = ip(node, peer, 17, udp(4000, 53));
    const dns: Filter[] = [{ action: 'allow', direction: 'out', service: 'dns' }];
    assert.deepEqual(
      await explain(
        dns,
        [
          out,
          ip('10.0.0.254', node, 1, icmp(3, 0, out.subarray(0, 28))),
          ip(peer, node, 1, icmp(3, 0, out.subarray(0, 20))),
        ],
        {
          whole: true,
        },
      ),
      ['pass', 'pass', 'drop'],
    );
  });

  for (const [from, to] of [
    [peer, node],
    [peer6, node6],
  ] as const)
    it(`judges the fragments of ${from.includes(':') ? 'IPv6' : 'IPv4'} together, in any order, by the ports of the first`, async () => {
      const dns: Filter[] = [{ action: 'allow', direction: 'in', service: 'dns' }];
      const data: Buffer = udp(1, 53, Buffer.alloc(40));
      const first = ip(from, to, 17, data.subarray(0, 16), { id: 5, more: true });
      const middle = ip(from, to, 17, data.subarray(16, 32), { id: 5, more: true, offset: 16 });
      const last = ip(from, to, 17, data.subarray(32), { id: 5, offset: 32 });
      assert.deepEqual(await explain(dns, [first, middle, last]), ['pass', 'pass', 'pass']);
      assert.deepEqual(await explain(dns, [last, first, ...handshake.slice(0, 1), middle]), [
        'pass',
        'pass',
        'drop',
        'pass',
      ]);
      assert.deepEqual(await explain(web, [first, middle, last]), ['drop', 'drop', 'drop']);
      const start = tcp(4000, 80, syn);
      const tiny = [
        ip(from, to, 6, start.subarray(0, 8), { id: 6, more: true }),
        ip(from, to, 6, start.subarray(8), { id: 6, offset: 8 }),
      ];
      // Of IPv6 the first fragment must hold the whole header.
      assert.deepEqual(
        await explain(web, tiny, { whole: true }),
        from === peer ? ['pass', 'pass'] : ['drop', 'drop'],
      );
      assert.deepEqual(await explain(dns, [...tiny].reverse(), { whole: true }), ['drop', 'drop']);
      assert.deepEqual(await explain(dns, [first, last]), ['ambiguous', 'ambiguous']);
      assert.deepEqual(await explain(dns, [first, last], { whole: true }), ['drop', 'drop']);
      const overlapping = ip(from, to, 17, data.subarray(8, 24), { id: 5, more: true, offset: 8 });
      assert.deepEqual(await explain(dns, [first, overlapping]), ['drop', 'drop']);
    });

  it('wants both the sender and the group allowed for what comes in to multicast', async () => {
    const packet = [ip(peer, '224.0.0.251', 17, udp(5353, 5353))];
    const allow = (peers: readonly string[]): Filter[] => [
      { action: 'allow', direction: 'in', peers, service: 'mdns' },
    ];
    assert.deepEqual(await explain(allow([peer, '224.0.0.251']), packet), ['pass']);
    assert.deepEqual(await explain(allow([peer]), packet), ['drop']);
    assert.deepEqual(await explain(allow(['224.0.0.251']), packet), ['drop']);
    assert.deepEqual(await explain([{ action: 'allow' }], packet), ['drop']);
  });

  it('drops strays and ignores what filters do not judge', async () => {
    const all: Filter[] = [{ action: 'allow' }];
    const discovery = ip(peer6, node6, 58, icmp(135, 0), { hopLimit: 255 });
    const packets = [
      ip(peer, '10.0.0.8', 17, udp(1, 2)),
      ip(node, node, 17, udp(1, 2)),
      discovery,
      ip('10.0.0.2', '255.255.255.255', 17, udp(68, 67)),
    ];
    assert.deepEqual(await explain(all, packets), ['drop', 'ignored', 'ignored', 'ignored']);
  });

  for (const little of [true, false])
    for (const nanoseconds of [true, false])
      for (const link of ['ethernet', 'vlan', 'cooked', 'cooked2', 'ip'] as const)
        it(`reads ${link} with ${little ? 'little' : 'big'} ends first and ${nanoseconds ? 'nano' : 'micro'}seconds, in pieces of any size`, async () => {
          const form = { little, nanoseconds, link };
          for (const piece of [1, 7, 100, 100_000])
            assert.deepEqual(await explain(web, handshake, { form, piece }), [
              'pass',
              'pass',
              'pass',
              'pass',
            ]);
        });

  it('says ambiguous where the capture was cut before the ports, and judges where they are there', async () => {
    const cutAt = async (snap: number): Promise<readonly string[]> => {
      const { outcomes } = await explainBytes(
        [{ otherwise: 'deny', filters: web }],
        capture(handshake.slice(0, 1), plainForm, { snap }),
      );
      return outcomes.map(({ verdict }) => verdict);
    };
    assert.deepEqual(await cutAt(14 + 20 + 14), ['pass']);
    assert.deepEqual(await cutAt(14 + 20 + 2), ['ambiguous']);
    assert.deepEqual(await cutAt(14 + 10), ['ambiguous']);
  });

  it('refuses other kinds of files, saying how to convert them', async () => {
    for (const [start, word] of [
      ['0a0d0d0a1c0000004d3c2b1a', 'editcap'],
      ['1f8b0800', 'gunzip'],
      ['00112233', 'pcap'],
      ['', 'short'],
    ] as const) {
      const { result } = await explainBytes(
        [],
        Buffer.concat([Buffer.from(start, 'hex'), Buffer.alloc(start === '' ? 3 : 60)]),
      );
      assert.isFalse(result.ok);
      if (result.ok) continue;
      assert.equal(result.refusal.code, 'capture-unsupported');
      assert.include(result.refusal.detail, word);
    }
  });

  it('tells of a capture that ends in the middle of a packet, and explains what is whole', async () => {
    const bytes = capture(handshake);
    const { result, outcomes } = await explainBytes(
      [{ otherwise: 'deny', filters: web }],
      bytes.subarray(0, -5),
    );
    assert.lengthOf(outcomes, 3);
    assert.deepInclude(result.ok ? result.value : {}, { torn: true, packets: 3 });
  });

  it('survives any bytes in the packets, and says something about each', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 60 }), fc.nat({ max: 255 })).map(([which, at, value]) => {
        const packet = Buffer.from(handshake[which] ?? Buffer.alloc(0));
        if (at < packet.length) packet[at] = value;
        return packet;
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 30 }), fc.boolean(), async (list, whole) => {
        const verdicts = await explain(
          web,
          list.map((one) => Buffer.from(one)),
          { whole, form: { ...plainForm, link: 'ip' } },
        );
        assert.lengthOf(verdicts, list.length);
      }),
      { numRuns: 300 },
    );
  });

  it('survives a damaged file: it explains, or refuses with a reason', async () => {
    const good = capture(handshake);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length - 1 }),
        fc.nat({ max: 255 }),
        fc.nat({ max: 200 }),
        async (at, value, piece) => {
          const bytes = Buffer.from(good);
          bytes[at] = value;
          await explainBytes([{ otherwise: 'deny', filters: web }], bytes, { piece: piece + 1 });
        },
      ),
      { numRuns: 500 },
    );
  });
});
