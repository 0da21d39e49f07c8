import { limits } from '../../protocol/limits.js';
import { parseJson } from '../../protocol/json.js';
import { opaqueObject } from '../../protocol/parse.js';
import { answerForm, type Answer } from '../../protocol/question.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { NodeSession } from './session.js';
import type { Addressee, HistoryHead } from '../../protocol/request.js';

/** One thing that happened on a node, as the node tells it. */
export interface NodeEvent {
  readonly seq: number;
  readonly kind: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a frame of the stream brought. */
export interface Heard {
  readonly events: readonly NodeEvent[];
  /** Events that the node no longer has: they are lost, and it is said so. */
  readonly gap?: { readonly from: number; readonly to: number };
  /** The answer to a question, said before these events. */
  readonly answer?: Answer;
  /** It is a sign of life, and nothing else. */
  readonly isBeat?: true;
}

/**
 * Follows the events of one node over one session after another.
 *
 * INVARIANTS:
 * - `last` is the number of the last event that was handed on; the next session asks for what follows it, so no event is
 *   lost or handed on twice, whatever happens to connections and to the node.
 * - What is missing is handed on as a gap, never passed over.
 */
export class Follower {
  #last: number | undefined;
  #ask: ((nonce: string) => void) | undefined;
  #rubbish = false;
  #opening = false;
  readonly #heard: (heard: Heard, before: number | undefined) => void;

  /** `before`: the number of the last event before what was heard. */
  constructor(heard: (heard: Heard, before: number | undefined) => void) {
    this.#heard = heard;
  }

  get last(): number | undefined {
    return this.#last;
  }

  /** How to ask the node a question; undefined while no stream is open. */
  get ask(): ((nonce: string) => void) | undefined {
    return this.#ask;
  }

  /** A stream was asked for, and it is not known yet whether there will be one. */
  get opening(): boolean {
    return this.#opening;
  }

  /** Did the last stream end because of what the node said under its seal? A refusal may be said by whoever carries the connection. */
  get rubbish(): boolean {
    return this.#rubbish;
  }

  /** Resolves when the stream has ended, with why. `opened` is told when it has begun. */
  async follow(
    session: NodeSession,
    to: Addressee,
    { opened, head }: { readonly opened?: () => void; readonly head?: HistoryHead | undefined } = {},
  ): Promise<Result<true>> {
    let mine: ((nonce: string) => void) | undefined;
    this.#rubbish = false;
    this.#opening = true;
    const ended = await new Promise<Result<true>>((resolve) => {
      const after = this.#last === undefined ? {} : { after: this.#last };
      void session
        .request({
          to,
          command: { type: 'events.follow', ...after },
          onFrame: (frame) => {
            const taken = this.#take(frame);
            if (taken.ok) return;
            this.#rubbish = true;
            resolve(taken);
          },
          onEnd: resolve,
          ...(head ? { head } : {}),
          onAsker: (ask) => {
            this.#ask = mine = ask;
            opened?.();
          },
        })
        .then((reply) => {
          this.#opening = false;
          if (!reply.ok) resolve(reply);
        });
    });
    // Another session may follow already.
    if (this.#ask === mine) this.#ask = undefined;
    return ended;
  }

  #take(frame: Uint8Array): Result<true> {
    // Thousands of nodes say in a second that they live, and nothing else; nothing is parsed and made for that.
    const beat = frame.length <= beatBytesMax ? beatIn(frame) : undefined;
    if (beat !== undefined) {
      this.#last ??= beat;
      this.#heard(onlyAlive, this.#last);
      return ok(true);
    }
    const events: NodeEvent[] = [];
    let gap: { from: number; to: number } | undefined;
    let answer: Answer | undefined;
    let last = this.#last;
    for (const line of Buffer.from(frame).toString('utf8').split('\n')) {
      const json = parseJson(line);
      const said = json.ok ? opaqueObject(json.value, 'line') : json;
      if (!said.ok) return refuse('malformed', 'a line of the stream');
      const { seq, kind, alive, gap: missing, ...fields } = said.value;
      if (typeof alive === 'number') last ??= alive;
      else if (isGap(missing)) {
        gap = missing;
        last = missing.to;
      } else if (typeof seq === 'number' && typeof kind === 'string') {
        if (last !== undefined && seq <= last) continue;
        if (last !== undefined && seq > last + 1) gap = { from: last + 1, to: seq - 1 };
        events.push({ seq, kind, fields });
        last = seq;
      } else {
        const answered = answerForm(said.value, 'line');
        if (!answered.ok) return refuse('malformed', 'a line of the stream');
        answer = answered.value;
      }
    }
    this.#heard(
      {
        events: events.slice(-limits.node_events_kept_max),
        ...(gap ? { gap } : {}),
        ...(answer ? { answer } : {}),
      },
      this.#last,
    );
    this.#last = last;
    return ok(true);
  }
}

const beatBytesMax = 32;
const onlyAlive: Heard = { events: [], isBeat: true };

/** The number in `{"alive":NUMBER}`; undefined: something else, or more. */
function beatIn(frame: Uint8Array): number | undefined {
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('latin1');
  const number = /^\{"alive":(0|[1-9][0-9]{0,15})\}$/.exec(text)?.[1];
  return number === undefined ? undefined : Number(number);
}

function isGap(value: unknown): value is { from: number; to: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'from' in value &&
    'to' in value &&
    typeof value.from === 'number' &&
    typeof value.to === 'number'
  );
}
