import { ok, type Result } from '../../../protocol/result.js';
import { readCapture, type CaptureEnd, type Frame, type LinkType } from './capture.js';
import { decodeFrame } from './decode.js';
import { Explainer, type ExplainOptions } from './explainer.js';
import { Fragments } from './fragments.js';
import { outcome, type Outcome } from './outcome.js';

export type { ExplainOptions } from './explainer.js';
export type { Outcome, PacketVerdict } from './outcome.js';

export interface Explained extends CaptureEnd {
  readonly packets: number;
}

const other = outcome('ignored', 'not IP');
const broken = outcome('drop', 'broken: the kernel takes no such packet');
const cut = outcome('ambiguous', 'the capture holds too little of this packet');
const overlapping = outcome('drop', 'its fragments overlap');
const unfinished = outcome('ambiguous', 'a fragment whose other parts are not in the capture');
const neverWhole = outcome('drop', 'a fragment whose other parts never came');

/**
 * Says for each packet of a capture, in order, whether it passes and who decides. `emit` gets the packets by number;
 * fragments that wait for their other parts hold back those behind them.
 */
export async function explainCapture(
  source: AsyncIterable<Uint8Array>,
  options: ExplainOptions,
  emit: (number: number, outcome: Outcome) => void,
): Promise<Result<Explained>> {
  const run = new Run(options, emit);
  const end = await readCapture(source, (frame, link) => run.frame(frame, link));
  if (!end.ok) return end;
  run.finish();
  return ok({ ...end.value, packets: run.packets });
}

class Run {
  packets = 0;
  readonly #explainer: Explainer;
  readonly #fragments = new Fragments();
  readonly #whole: boolean;
  readonly #emit: (number: number, outcome: Outcome) => void;
  /** From the first packet that waits on; empty while none does. */
  #held: (Outcome | undefined)[] = [];
  #firstHeld = 1;

  constructor(options: ExplainOptions, emit: (number: number, outcome: Outcome) => void) {
    this.#explainer = new Explainer(options);
    this.#whole = options.whole === true;
    this.#emit = emit;
  }

  frame(frame: Frame, link: LinkType): void {
    const number = ++this.packets;
    const result = this.#explain(frame, link, number);
    if (this.#held.length === 0 && result !== undefined) {
      this.#emit(number, result);
      return;
    }
    if (this.#held.length === 0) this.#firstHeld = number;
    this.#held.push(result);
    this.#resolve(this.#fragments.expired(frame.seconds), this.#whole ? neverWhole : unfinished);
    this.#release();
  }

  finish(): void {
    this.#resolve(this.#fragments.expired(Infinity), this.#whole ? neverWhole : unfinished);
    this.#release();
  }

  /** undefined: the packet waits for others. */
  #explain(frame: Frame, link: LinkType, number: number): Outcome | undefined {
    const packet = decodeFrame(frame, link);
    const isCut = frame.bytes.length < frame.originalLength;
    if (packet === 'other') return other;
    if (packet === 'cut') return isCut ? cut : broken;
    if (packet === 'broken') return broken;
    if (packet.fragment === undefined)
      return this.#explainer.explain(packet, frame.seconds) ?? (isCut ? cut : broken);
    const joined = this.#fragments.add(packet, packet.fragment, number, frame.seconds);
    switch (joined.kind) {
      case 'waiting':
        return undefined;
      case 'short':
        return broken;
      case 'overlapping':
        this.#resolve(joined.numbers, overlapping);
        return overlapping;
      case 'whole': {
        const result = this.#explainer.explain(joined.head, frame.seconds) ?? (isCut ? cut : broken);
        this.#resolve(joined.numbers, result);
        return result;
      }
    }
  }

  #resolve(numbers: readonly number[], result: Outcome): void {
    for (const number of numbers) {
      const at = number - this.#firstHeld;
      if (at >= 0 && at < this.#held.length) this.#held[at] = result;
    }
  }

  #release(): void {
    let ready = 0;
    for (const result of this.#held) {
      if (result === undefined) break;
      this.#emit(this.#firstHeld + ready, result);
      ready++;
    }
    if (ready === 0) return;
    this.#held = this.#held.slice(ready);
    this.#firstHeld += ready;
  }
}
