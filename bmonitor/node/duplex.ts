import { utf8 } from '../../crypto/jose.js';
import type { StreamOpener, StreamSealer } from '../../crypto/stream.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { object, whole } from '../../protocol/parse.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';

/** What the first byte of a frame says: bytes, or a word of the stream itself in JSON. */
const bytesMark = 0;

const acknowledgement = object({ ack: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) });

export interface DuplexParts {
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
  send(frame: Uint8Array): Promise<unknown>;
  /** Asked before every frame that goes out. */
  readonly mayHear: () => Result<void>;
}

/**
 * Bytes both ways, each way with a window of its own: who reads slowly slows only who writes to it.
 *
 * INVARIANTS:
 * - Frames go out in the order in which they were sealed; after the final one, none.
 * - What came in and was not taken is never more than a window: a peer that sends more is cut off.
 */
export class Duplex {
  readonly #parts: DuplexParts;
  readonly #came: Buffer[] = [];
  #came_bytes = 0;
  #taken = 0;
  #theirEnd = false;
  #over = false;
  #unacknowledged: number[] = [];
  #out_bytes = 0;
  #acknowledged = 0;
  #sent = 0;
  #wake: () => void = () => {};
  #room: () => void = () => {};

  /** Resolves when nobody is there any more, or the stream has ended. */
  readonly closed: Promise<void>;
  #tellClosed: () => void = () => {};

  constructor(parts: DuplexParts) {
    this.#parts = parts;
    this.closed = new Promise((resolve) => (this.#tellClosed = resolve));
  }

  /** The other side is gone, or the stream has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** What the other side sends; ends when it says so, or is gone. Who stops taking makes it stop sending. */
  async *incoming(): AsyncGenerator<Buffer> {
    for (;;) {
      const piece = this.#came.shift();
      if (piece) {
        this.#came_bytes -= piece.length;
        yield piece;
        this.#taken += 1;
        await this.#say({ ack: this.#taken });
        continue;
      }
      if (this.#theirEnd || this.#over) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Whether the other side said that all has come: if not, what came may be cut short. */
  get whole(): boolean {
    return this.#theirEnd;
  }

  /** Resolves when there is room for more. A refusal: nobody hears it any more. */
  async write(bytes: Uint8Array): Promise<Result<void>> {
    for (let at = 0; at < bytes.length; at += limits.stream_frame_bytes_max / 2) {
      while (!this.#over && this.#out_bytes >= limits.stream_window_bytes)
        await new Promise<void>((resolve) => (this.#room = resolve));
      if (this.#over) return refuse('stream-ended');
      const may = this.#parts.mayHear();
      if (!may.ok) return may;
      const piece = bytes.subarray(at, at + limits.stream_frame_bytes_max / 2);
      const frame = this.#parts.sealer.seal(Buffer.concat([Buffer.of(bytesMark), piece]));
      this.#sent += 1;
      this.#unacknowledged.push(frame.length);
      this.#out_bytes += frame.length;
      await this.#parts.send(frame);
    }
    return ok(undefined);
  }

  /** A frame of the other side, opened. */
  take(plaintext: Uint8Array, final: boolean): Result<void> {
    if (final) {
      this.#theirEnd = true;
      this.#wake();
      return ok(undefined);
    }
    if (plaintext[0] === bytesMark) {
      // A console that was removed since says nothing more either.
      const may = this.#parts.mayHear();
      if (!may.ok) return may;
      this.#came.push(Buffer.from(plaintext.subarray(1)));
      this.#came_bytes += plaintext.length;
      if (this.#came_bytes > 2 * limits.stream_window_bytes)
        return refuse('too-many', 'more than the window');
      this.#wake();
      return ok(undefined);
    }
    const json = parseJson(plaintext);
    const said = json.ok ? acknowledgement(json.value, '') : json;
    if (!said.ok || said.value.ack > this.#sent) return refuse('malformed', 'not an acknowledgement');
    while (this.#acknowledged < said.value.ack) {
      this.#acknowledged += 1;
      this.#out_bytes -= this.#unacknowledged.shift() ?? 0;
    }
    this.#room();
    return ok(undefined);
  }

  /** The last frame, which says how it ended. */
  async finish(result: Result<Readonly<Record<string, unknown>>>): Promise<void> {
    if (this.#over) return;
    this.cut();
    const said = result.ok ? { done: result.value } : endOf(result.refusal);
    await this.#parts.send(this.#parts.sealer.seal(utf8(JSON.stringify(said)), true));
  }

  /** Nobody is there any more. */
  cut(): void {
    this.#over = true;
    this.#tellClosed();
    this.#wake();
    this.#room();
  }

  async #say(word: Readonly<Record<string, unknown>>): Promise<void> {
    if (!this.#over) await this.#parts.send(this.#parts.sealer.seal(utf8(JSON.stringify(word))));
  }
}

function endOf({ code, detail }: Refusal): Readonly<Record<string, string>> {
  return { end: code, ...(detail === undefined ? {} : { detail: detail.slice(0, 2000) }) };
}
