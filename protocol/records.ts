import { limits } from './limits.js';
import { ok, refuse, type Result } from './result.js';

/**
 * What goes through a door of an engine: records, each with a byte that says its kind and four with its length, big-endian.
 * docs/protocol.md lists them; the helper of the node that stands at the door reads and writes the same.
 */
export const recordKinds = {
  /** To the engine: what is typed, or bytes of a connection. */
  input: 0,
  /** To the engine: rows and columns of the terminal, two bytes each. */
  size: 1,
  /** To the engine: nothing more is typed. */
  inputEnd: 2,
  output: 3,
  /** What a command without a terminal writes to its second output. */
  complaint: 4,
  /** A byte: what the command ended with, 128 and a signal when one ended it. */
  ended: 5,
  /** Why there is nothing behind the door, for a person. */
  failed: 6,
  /** Between a console's command line and its daemon only: the order, the refusal of one. */
  order: 7,
  refused: 8,
} as const;

export interface Recorded {
  readonly kind: number;
  readonly bytes: Buffer;
}

const headBytes = 5;

export function record(kind: keyof typeof recordKinds, bytes: Uint8Array = new Uint8Array()): Buffer {
  const all = Buffer.alloc(headBytes + bytes.length);
  all.writeUInt8(recordKinds[kind], 0);
  all.writeUInt32BE(bytes.length, 1);
  all.set(bytes, headBytes);
  return all;
}

/** Input of any length, in records that are short enough. */
export function inputRecords(bytes: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += limits.record_bytes_max)
    pieces.push(record('input', bytes.subarray(at, at + limits.record_bytes_max)));
  return Buffer.concat(pieces);
}

export function sizeRecord(rows: number, columns: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(rows, 0);
  bytes.writeUInt16BE(columns, 2);
  return record('size', bytes);
}

/** Cuts what comes in pieces of any size into records. */
export class RecordReader {
  #held: Buffer = Buffer.alloc(0);

  take(piece: Uint8Array): Result<readonly Recorded[]> {
    this.#held = this.#held.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#held, piece]);
    const found: Recorded[] = [];
    while (this.#held.length >= headBytes) {
      const length = this.#held.readUInt32BE(1);
      if (length > limits.record_bytes_max) return refuse('malformed', 'a record is shorter');
      if (this.#held.length < headBytes + length) break;
      found.push({
        kind: this.#held.readUInt8(0),
        bytes: this.#held.subarray(headBytes, headBytes + length),
      });
      this.#held = this.#held.subarray(headBytes + length);
    }
    return ok(found);
  }
}
