import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { compileSet } from '../../../bmonitor/filters/compile.js';
import type { LevelBoxes } from '../../../bmonitor/filters/boxes.js';
import { explainCapture, type Outcome } from '../../../bmonitor/filters/explain/index.js';
import type { FilterSet } from '../../../bmonitor/filters/model.js';
import { normaliseSet } from '../../../bmonitor/filters/normalise.js';
import { NflogReader } from '../../../bmonitor/host/firewall/pcap-stream.js';
import { judge, setArbitrary } from '../../unit/bmonitor/filters/sets.js';
import { passes } from '../../../bmonitor/filters/boxes.js';
import { Bed, etherType, ethernet, tcpFlag, until, type Place } from '../bed/index.js';
import { numbers } from './changes.js';
import { Enforced, peer, valueOf } from './enforced.js';
import { piecesOf, randomPackets, type Sent } from './random-packets.js';

/**
 * Random sets of up to three levels in a real kernel, random packets really sent through it both ways, and the explainer
 * on the same packets: they must agree on every one. `BMONITOR_ROUNDS` asks for more, `BMONITOR_SEED` for other ones.
 */
const rounds = Number(process.env['BMONITOR_ROUNDS'] ?? 12);
const packetsPerRound = 120;
const seenGroup = 199;

/**
 * What the filters' text says of a packet that is alone in its flow and begins one, by an oracle that knows no boxes. Undefined: the
 * packet's fate depends on others.
 */
function oracle(sets: readonly FilterSet[], sent: Sent, all: readonly Sent[]): 'pass' | 'drop' | undefined {
  const { out, protocol, peer: other, payload, packet } = sent;
  if (sent.toMac !== undefined || sent.pieces !== undefined) return undefined;
  const begins = protocol === 17 || protocol === 47 || (protocol === 6 && payload[13] === tcpFlag.syn);
  const alone = all.filter((one) => one.protocol === protocol && one.peer === other).length === 1;
  if (!begins || !alone) return undefined;
  const port = protocol === 47 ? 0 : payload.readUInt16BE(2);
  const family = packet[0] === 0x45 ? 4 : 6;
  const point = { direction: out ? 'out' : 'in', family, peer: other, protocol, port } as const;
  const verdicts = sets.map((set) => ({ verdict: judge(set, point)?.verdict, otherwise: set.otherwise }));
  const passed = (['twoway', 'oneway'] as const).some((traffic) =>
    verdicts.every(({ verdict, otherwise }) => passes(verdict, traffic, otherwise)),
  );
  return passed ? 'pass' : 'drop';
}

/** The same with many far peers in each filter, so that its shape is shared by enough to have a hash of its own. */
function withMany(set: FilterSet): FilterSet {
  const far = Array.from({ length: 40 }, (_, at) => [`172.16.9.${at * 2}`, `2001:db8:99::${at * 2}`]).flat();
  return {
    ...set,
    filters: set.filters.map((one) =>
      one.peers === undefined ? one : { ...one, peers: [...one.peers, ...far] },
    ),
  };
}

function textOf(sent: Sent): string {
  const pieces = piecesOf(sent).map((piece) => piece.toString('hex'));
  return `${sent.out ? 'out' : 'in'} ${pieces.join(' ')}`;
}

/** Raw IP packets, one second apart by the file's clock, so that nothing times out in between. */
function capture(packets: readonly Sent[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(101, 20);
  const records = packets.flatMap(piecesOf).map((packet, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000, 0);
    record.writeUInt32LE(index, 4);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    return Buffer.concat([record, packet]);
  });
  return Buffer.concat([head, ...records]);
}

async function explained(
  levels: readonly LevelBoxes[],
  node: Place,
  packets: readonly Sent[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const of = packets.flatMap((sent, index) => piecesOf(sent).map(() => index));
  const addresses = [peer(node.ipv4), peer(node.ipv6)];
  async function* source(): AsyncGenerator<Uint8Array> {
    yield capture(packets);
  }
  valueOf(
    await explainCapture(source(), { levels, addresses, whole: true }, (number, outcome) => {
      outcomes[of[number - 1] ?? -1] = outcome;
    }),
  );
  return outcomes;
}

/** Sees what our tables let through, and keeps the kernel from answering by itself, which would end connections. */
const witness = `
add table inet seen
add chain inet seen quiet { type filter hook output priority -250; }
add rule inet seen quiet ip length <= 40 tcp flags & rst == rst drop
add rule inet seen quiet ip6 length <= 20 tcp flags & rst == rst drop
add rule inet seen quiet icmp type { destination-unreachable, echo-reply } drop
add rule inet seen quiet icmpv6 type { destination-unreachable, parameter-problem, echo-reply } drop
add chain inet seen came { type filter hook input priority 10; }
add rule inet seen came iifname != "lo" log group ${seenGroup} snaplen 256
add chain inet seen went { type filter hook output priority 10; }
add rule inet seen went oifname != "lo" log group ${seenGroup} snaplen 256
`;

describe('the kernel and the explainer agree', () => {
  let bed: Bed;
  let node: Place;
  let other: Place;
  let enforced: Enforced;

  before(async () => {
    bed = await Bed.create({ nodes: ['node', 'other'] });
    [node, other] = [bed.place('node'), bed.place('other')];
    await node.ping(bed.router.ipv4);
    await node.ping(bed.router.ipv6);
    enforced = await Enforced.at(node);
    await node.must(['nft', '-f', '-'], { input: witness });
  });
  after(async () => {
    await enforced.close();
    await bed.remove();
  });

  const seenTags = async (file: string): Promise<ReadonlySet<number>> => {
    const tags = new Set<number>();
    for (const { payload } of new NflogReader().read(await readFile(file))) {
      const at = Buffer.from(payload).lastIndexOf('tag:');
      if (at >= 0) tags.add(Buffer.from(payload).readUInt32BE(at + 4));
    }
    return tags;
  };

  it('on every packet of random sets', async () => {
    const seed = Number(process.env['BMONITOR_SEED'] ?? 1);
    const pick = numbers(seed);
    let number = 0;
    let passed = 0;
    let refused = 0;
    let asked = 0;
    const wrong: string[] = [];
    const file = await node.capture({ interface: `nflog:${seenGroup}` });
    for (let round = 0; round < rounds; round++) {
      const sets = fc
        .sample(fc.tuple(setArbitrary(8), setArbitrary(6), setArbitrary(4)), {
          numRuns: 1,
          seed: seed + round,
        })
        .flat()
        .slice(0, 1 + pick(3))
        .map((set, index): FilterSet => (index === 0 ? { ...set, otherwise: 'deny' } : set))
        // In half of the rounds much passes, so that what is denied, and what is a reply, counts.
        .map((set): FilterSet =>
          round % 2 === 0 ? set : { ...set, filters: [...set.filters, { action: 'allow' }] },
        )
        .map((set) => (round % 3 === 0 ? set : withMany(set)));
      const levels = sets.map((set) => valueOf(compileSet(valueOf(normaliseSet(set)))));
      await enforced.enforce({ levels });
      await node.must(['conntrack', '-F']);
      const packets = randomPackets(node, pick, number, packetsPerRound);
      const first = number;
      number += packets.length;
      for (const sent of packets) {
        const type = sent.packet[0] === 0x45 ? etherType.ipv4 : etherType.ipv6;
        const header = { to: sent.toMac ?? node.mac, from: other.mac, type };
        if (sent.out) await node.sendIp(sent.protocol, sent.to, sent.payload).catch(() => {});
        else await other.sendFrames(piecesOf(sent).map((piece) => ethernet(header, piece)));
      }
      const outcomes = await explained(levels, node, packets);
      const expectedPasses = outcomes.filter(({ verdict }) => verdict === 'pass').length;
      let seen: ReadonlySet<number> = new Set();
      await until(
        async () => {
          seen = await seenTags(file.file);
          return packets.filter((_, index) => seen.has(first + index)).length >= expectedPasses;
        },
        { bound_ms: 3000 },
      ).catch(() => {});
      for (const [index, outcome] of outcomes.entries()) {
        const kernel = seen.has(first + index) ? 'pass' : 'drop';
        const sent = packets[index];
        const said = sent && oracle(sets, sent, packets);
        if (said !== undefined) asked++;
        if (said !== undefined && said !== kernel)
          wrong.push(
            `round ${round} packet ${index}: the kernel ${kernel}, the oracle ${said}, sets ${JSON.stringify(sets)}`,
          );
        if (outcome.verdict !== 'pass' && outcome.verdict !== 'drop') continue;
        if (kernel === 'pass') passed++;
        else refused++;
        if (sent && kernel !== outcome.verdict)
          wrong.push(
            `round ${round} packet ${index} ${textOf(sent)}: the kernel ${kernel}, explain ${JSON.stringify(outcome)}, sets ${JSON.stringify(sets)}`,
          );
      }
    }
    await file.stop();
    const differ = `seed ${seed}: ${wrong.length} differ of ${passed + refused}`;
    expect(wrong.length, [differ, ...wrong.slice(0, 3)].join('\n')).to.equal(0);
    expect(passed).to.be.greaterThan(0);
    expect(refused).to.be.greaterThan(0);
    expect(asked).to.be.greaterThan(0);
  });
});
