import { randomBytes, randomInt } from 'node:crypto';
import {
  decodeDhcp,
  encodeDhcp,
  clientPort,
  serverPort,
  type DhcpPacket,
} from '../../../protocol/dhcp/index.js';
import { formatFrame, parseFrame } from '../../../protocol/ethernet/frame.js';
import type { Place, Tap } from '../bed/index.js';

/**
 * - `rubbish`: frames that are cut, padded, of options that contradict each other, or of no form at all, for every question;
 * - `nonsense`: well-formed offers of what cannot be an address, and acknowledgements that nobody asked for;
 * - `rude`: says no to every request, in its own name;
 * - `silent`: offers at once, and says nothing when it is asked for what it offered.
 */
export type Manners = 'rubbish' | 'nonsense' | 'rude' | 'silent';

const everyone = 'ff:ff:ff:ff:ff:ff';

/** A machine on the link that answers questions for addresses before the real server does, and badly. */
export class RudeServer {
  said = 0;
  #seen = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(
    private readonly place: Place,
    private readonly tap: Tap,
    private readonly manners: readonly Manners[],
    private readonly own: string,
  ) {
    this.#timer = setInterval(() => this.#look(), 5);
  }

  static async start(place: Place, own: string, ...manners: Manners[]): Promise<RudeServer> {
    return new RudeServer(place, await place.tap(), manners, own);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (; this.#seen < this.tap.frames.length; this.#seen += 1) {
      const frame = this.tap.frames[this.#seen];
      const parsed = frame && parseFrame(frame.data);
      if (!parsed?.ok || parsed.value.kind !== 'udp' || parsed.value.destinationPort !== serverPort) continue;
      const question = decodeDhcp(parsed.value.payload);
      if (!question.ok) continue;
      const payloads = this.manners.flatMap((one) => this.#answers(one, question.value));
      this.said += payloads.length;
      void this.place.sendFrames(payloads.map((payload) => this.#frame(payload)));
    }
  }

  #answers(manners: Manners, question: DhcpPacket): readonly Uint8Array[] {
    const offer = (yiaddr: string, more: Partial<DhcpPacket['options']> = {}): DhcpPacket => ({
      ...question,
      type: 'offer',
      yiaddr,
      siaddr: this.own,
      options: { subnetMask: '255.255.255.0', server: this.own, lease_s: 600, ...more },
    });
    switch (manners) {
      case 'rubbish':
        return [
          randomBytes(randomInt(1, 600)),
          encodeDhcp(offer('10.77.0.66')).subarray(0, randomInt(200, 299)),
          altered(encodeDhcp(offer('10.77.0.66'))),
          Buffer.concat([encodeDhcp(offer('10.77.0.66')).subarray(0, 240), Buffer.alloc(300, 0x34)]),
        ];
      case 'nonsense':
        return [
          offer('0.0.0.0'),
          offer('255.255.255.255'),
          offer('127.0.0.1'),
          offer('10.77.0.255'),
          offer('10.77.0.66', { subnetMask: '255.0.255.0' }),
          offer('10.77.0.66', { lease_s: 0 }),
          { ...offer('10.77.0.66'), xid: (question.xid + 1) >>> 0 },
          { ...offer('10.77.0.66'), mac: '02:00:00:00:00:01' },
          ...(question.type === 'discover' ? [{ ...offer('10.77.0.66'), type: 'ack' } as const] : []),
        ].map(encodeDhcp);
      case 'rude':
        return question.type === 'request'
          ? [encodeDhcp({ ...question, type: 'nak', yiaddr: '0.0.0.0', options: { server: this.own } })]
          : [];
      case 'silent':
        return question.type === 'discover' ? [encodeDhcp(offer('10.77.0.66'))] : [];
    }
  }

  #frame(payload: Uint8Array): Uint8Array {
    const ports = { sourcePort: serverPort, destinationPort: clientPort };
    const ways = { from: this.place.mac, to: everyone, source: this.own, destination: '255.255.255.255' };
    return formatFrame({ kind: 'udp', ...ways, ...ports, payload });
  }
}

/** A byte of the options is another one. */
function altered(packet: Uint8Array): Uint8Array {
  const copy = Buffer.from(packet);
  copy[randomInt(240, copy.length)] = randomInt(256);
  // What was altered may still be a good offer: of another question it is none.
  copy[4] = (copy[4] ?? 0) ^ 0xff;
  return copy;
}
