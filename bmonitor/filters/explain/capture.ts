import { Readable } from 'node:stream';
import pcapParser from 'pcap-parser';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Refusal, type Result } from '../../../protocol/result.js';

/**
 * Reads captures through the pcap-parser package. What comes in is brought into the one form that the package reads
 * well: known link types, microseconds, records of a bounded length, and chunks that end where a packet ends.
 * docs/decisions/0008-captures-through-a-normaliser.md says what was found in the package and why it is fed like this.
 */
export interface Frame {
  readonly seconds: number;
  readonly bytes: Buffer;
  /** How long the packet was before the capture cut it. */
  readonly originalLength: number;
}

export type LinkType = 'ethernet' | 'cooked' | 'cooked2' | 'ip';

export interface CaptureEnd {
  /** The file ends in the middle of a packet. */
  readonly torn: boolean;
}

const headerLength = 24;
const recordLength = 16;

const links: ReadonlyMap<number, LinkType> = new Map([
  [1, 'ethernet'],
  [12, 'ip'],
  [14, 'ip'],
  [101, 'ip'],
  [113, 'cooked'],
  [228, 'ip'],
  [229, 'ip'],
  [276, 'cooked2'],
]);

const convert = 'editcap -F pcap IN OUT';

/** What other files begin with, so that the refusal can say what to do. */
const strangers: readonly (readonly [magic: string, what: string])[] = [
  ['0a0d0d0a', `this is pcapng; convert it with: ${convert} (or tcpdump -r IN -w OUT)`],
  ['1f8b', 'this is compressed; unpack it with: gunzip'],
  ['28b52ffd', 'this is compressed; unpack it with: unzstd'],
  ['fd377a58', 'this is compressed; unpack it with: unxz'],
  ['a1b2cd34', `this is a capture with extended records; convert it with: ${convert}`],
  ['34cdb2a1', `this is a capture with extended records; convert it with: ${convert}`],
  ['736e6f6f70', `this is a snoop capture; convert it with: ${convert}`],
  ['58435000', `this is a capture of Network Monitor; convert it with: ${convert}`],
];

interface Format {
  readonly little: boolean;
  readonly nanoseconds: boolean;
  readonly link: LinkType;
}

function unsupported(detail: string): Result<never> {
  return refuse('capture-unsupported', detail);
}

export function readHeader(header: Buffer): Result<Format> {
  const magic = header.toString('hex', 0, Math.min(8, header.length));
  const stranger = strangers.find(([start]) => magic.startsWith(start));
  if (stranger !== undefined) return unsupported(stranger[1]);
  if (header.length < headerLength) return unsupported('this is too short to be a capture');
  const forms: ReadonlyMap<string, readonly [little: boolean, nanoseconds: boolean]> = new Map([
    ['a1b2c3d4', [false, false]],
    ['d4c3b2a1', [true, false]],
    ['a1b23c4d', [false, true]],
    ['4d3cb2a1', [true, true]],
  ]);
  const form = forms.get(magic.slice(0, 8));
  if (form === undefined)
    return unsupported(`this is not a pcap file; if it is another kind of capture: ${convert}`);
  const [little, nanoseconds] = form;
  const major = little ? header.readUInt16LE(4) : header.readUInt16BE(4);
  if (major !== 2) return unsupported(`this is version ${major} of the format; convert it with: ${convert}`);
  // The upper bits tell of checksums, not of the link.
  const number = (little ? header.readUInt32LE(20) : header.readUInt32BE(20)) & 0xffff;
  const link = links.get(number);
  if (link === undefined)
    return unsupported(
      `link type ${number} is not read; Ethernet, Linux cooked and raw IP are: capture again with tcpdump -y EN10MB or -i any`,
    );
  return ok({ little, nanoseconds, link });
}

/** The package knows only the microsecond magic; the fraction is read as what it is by `secondsOf`. */
function withMicrosecondMagic(header: Buffer, little: boolean): Buffer {
  const copy = Buffer.from(header);
  if (little) copy.writeUInt32LE(0xa1b2c3d4, 0);
  else copy.writeUInt32BE(0xa1b2c3d4, 0);
  return copy;
}

/** INVARIANTS: every chunk given on ends where a record ends, so the package never keeps a rest and copies it again. */
class Normaliser {
  format: Format | undefined;
  refusal: Refusal | undefined;
  torn = false;
  #rest: Buffer = Buffer.alloc(0);
  #total = 0;
  #records = 0;

  async *chunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      this.#total += piece.length;
      if (this.#total > limits.capture_bytes_max)
        return this.#refuse(refuse('too-large', `at most ${limits.capture_bytes_max} bytes`).refusal);
      this.#rest = this.#rest.length === 0 ? bufferOf(piece) : Buffer.concat([this.#rest, piece]);
      const ready = this.#take();
      if (ready !== undefined && ready.length > 0) yield ready;
      if (this.refusal !== undefined) return;
    }
    if (this.format === undefined) {
      const header = readHeader(this.#rest);
      if (!header.ok) this.#refuse(header.refusal);
    }
    this.torn = this.#rest.length > 0;
  }

  #refuse(refusal: Refusal): void {
    this.refusal = refusal;
  }

  /** All whole records so far; undefined if there are none. */
  #take(): Buffer | undefined {
    if (this.format !== undefined) return this.#split(this.#wholeRecords(0, this.format.little));
    if (this.#rest.length < headerLength) return undefined;
    const header = readHeader(this.#rest);
    if (!header.ok) {
      this.#refuse(header.refusal);
      return undefined;
    }
    this.format = header.value;
    const { little } = this.format;
    const chunk = this.#split(this.#wholeRecords(headerLength, little));
    return Buffer.concat([
      withMicrosecondMagic(chunk.subarray(0, headerLength), little),
      chunk.subarray(headerLength),
    ]);
  }

  #split(end: number): Buffer {
    const chunk = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    return chunk;
  }

  #wholeRecords(start: number, little: boolean): number {
    const rest = this.#rest;
    let at = start;
    while (at + recordLength <= rest.length) {
      const length = little ? rest.readUInt32LE(at + 8) : rest.readUInt32BE(at + 8);
      if (length > limits.capture_packet_bytes_max) {
        this.#refuse(
          refuse('bad-input', `packet ${this.#records + 1} claims ${length} bytes; the capture is damaged`)
            .refusal,
        );
        return at;
      }
      if (at + recordLength + length > rest.length) return at;
      at += recordLength + length;
      this.#records++;
    }
    return at;
  }
}

function bufferOf(piece: Uint8Array): Buffer {
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** Calls `visit` for each packet in order. */
export async function readCapture(
  source: AsyncIterable<Uint8Array>,
  visit: (frame: Frame, link: LinkType) => void,
): Promise<Result<CaptureEnd>> {
  const normaliser = new Normaliser();
  const chunks = Readable.from(normaliser.chunks(source), { objectMode: false, highWaterMark: 1 << 20 });
  const failure = await new Promise<unknown>((resolve) => {
    const parser = pcapParser.parse(chunks);
    parser.on('packet', ({ header, data }) => {
      const format = normaliser.format;
      if (format === undefined) throw new Error('a packet before the header');
      const fraction = header.timestampMicroseconds / (format.nanoseconds ? 1e9 : 1e6);
      const frame = {
        seconds: header.timestampSeconds + fraction,
        bytes: data,
        originalLength: header.originalLength,
      };
      visit(frame, format.link);
    });
    parser.on('error', resolve);
    parser.on('end', () => resolve(undefined));
  });
  if (normaliser.refusal !== undefined) return { ok: false, refusal: normaliser.refusal };
  if (failure !== undefined) return refuse('bad-input', messageOf(failure));
  return ok({ torn: normaliser.torn });
}
