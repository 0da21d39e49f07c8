import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Secret } from './secret.js';

/**
 * One direction of a sealed stream. A frame is
 *
 *   stream id (16) | flags (1: bit 0 = final) | sequence number (8, big-endian) | ciphertext | tag (16)
 *
 * with AES-256-GCM, the nonce being four zero bytes and the sequence number, and the first 17 bytes as associated data.
 * The sequence starts at 0 and rises by one, so a frame that is cut, dropped, reordered, repeated or altered shows.
 */
export const streamIdBytes = 16;
const headBytes = streamIdBytes + 1;
const sequenceBytes = 8;
const tagBytes = 16;
export const streamFrameOverheadBytes = headBytes + sequenceBytes + tagBytes;

/** Its own few bytes: a view of the frame that it came in would hold that frame, and all that shares its memory, for as long as the stream lives. */
function kept(id: Uint8Array): Uint8Array {
  if (id.length !== streamIdBytes) throw new Error('a stream id has 16 bytes');
  return new Uint8Array(id);
}

function nonceOf(frame: Buffer): Uint8Array {
  const nonce = new Uint8Array(12);
  for (let at = 0; at < sequenceBytes; at += 1) nonce[4 + at] = frame[headBytes + at] ?? 0;
  return nonce;
}

export class StreamSealer {
  readonly #key: Secret;
  readonly #id: Uint8Array;
  #next = 0n;
  #ended = false;

  constructor(key: Secret, id: Uint8Array) {
    if (id.length !== streamIdBytes) throw new Error('a stream id has 16 bytes');
    this.#key = key;
    this.#id = id;
  }

  get ended(): boolean {
    return this.#ended;
  }

  seal(plaintext: Uint8Array, final = false): Uint8Array {
    if (this.#ended) throw new Error('the stream has ended');
    this.#ended = final;
    const frame = Buffer.allocUnsafe(streamFrameOverheadBytes + plaintext.length);
    frame.set(this.#id, 0);
    frame[streamIdBytes] = final ? 1 : 0;
    frame.writeBigUInt64BE(this.#next, headBytes);
    this.#next += 1n;
    const nonce = nonceOf(frame);
    const cipher = this.#key.use((key) => createCipheriv('aes-256-gcm', key, nonce));
    cipher.setAAD(frame.subarray(0, headBytes));
    frame.set(cipher.update(plaintext), headBytes + sequenceBytes);
    cipher.final();
    frame.set(cipher.getAuthTag(), frame.length - tagBytes);
    return frame;
  }
}

/** `gap`: a frame is missing before this one; `repeated`: it was seen before, or comes too late. */
export type StreamFault = 'gap' | 'repeated' | 'tampered' | 'ended' | 'malformed';
export type Opened =
  { readonly plaintext: Uint8Array; readonly final: boolean } | { readonly fault: StreamFault };

/** After a fault the stream is over: nothing of it is opened any more. */
export class StreamOpener {
  readonly #key: Secret;
  readonly #id: Uint8Array;
  #next = 0n;
  #over = false;
  #complete = false;

  constructor(key: Secret, id: Uint8Array) {
    this.#key = key;
    this.#id = kept(id);
  }

  /** True once the final frame was opened: a connection that closes before that has cut the stream. */
  get complete(): boolean {
    return this.#complete;
  }

  open(frame: Uint8Array): Opened {
    if (this.#over) return { fault: 'ended' };
    const opened = this.#open(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
    this.#complete = !('fault' in opened) && opened.final;
    this.#over = this.#complete || 'fault' in opened;
    return opened;
  }

  #open(frame: Buffer): Opened {
    if (frame.length < streamFrameOverheadBytes) return { fault: 'malformed' };
    if (frame.compare(this.#id, 0, streamIdBytes, 0, streamIdBytes) !== 0) return { fault: 'malformed' };
    const flags = frame[streamIdBytes];
    if (flags !== 0 && flags !== 1) return { fault: 'malformed' };
    const sequence = frame.readBigUInt64BE(headBytes);
    if (sequence !== this.#next) return { fault: sequence > this.#next ? 'gap' : 'repeated' };
    this.#next += 1n;
    const nonce = nonceOf(frame);
    const decipher = this.#key.use((key) =>
      createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }),
    );
    decipher.setAAD(frame.subarray(0, headBytes));
    decipher.setAuthTag(frame.subarray(frame.length - tagBytes));
    const plaintext = decipher.update(frame.subarray(headBytes + sequenceBytes, frame.length - tagBytes));
    try {
      decipher.final();
    } catch {
      return { fault: 'tampered' };
    }
    return { plaintext, final: flags === 1 };
  }
}

/** Which stream a frame belongs to, without opening it. */
export function streamIdOf(frame: Uint8Array): Uint8Array | undefined {
  return frame.length < streamFrameOverheadBytes ? undefined : frame.subarray(0, streamIdBytes);
}
