import { gatewaySource } from '../../protocol/gateway/channel.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/**
 * Who gets the processor for private-key operations, and who gets nothing any more.
 *
 * - Each source has a budget of faults, refilled slowly. Whoever sends rubbish spends it and is cut off until it has grown again.
 * - TLS handshakes, which cost such an operation too, have a budget of their own.
 * - Private-key operations go round the sources in turn, each with a short queue: a source that sends a thousand messages waits for
 *   itself, and not the others for it. A gateway may call its consoles what it likes, so all that come through gateways have one turn
 *   among those who dialled.
 * - The operation holds up the one thread that does everything else (decision 0035), so between two of them whatever else is due comes first.
 */
interface Source {
  readonly carrier: Carrier;
  faults: number;
  at_ms: number;
  connections: number;
  connected_ms: number;
  held_bytes: number;
  readonly waiting: (() => void)[];
}

/** Who takes turns: a source that dialled, or all gateways together. `waiting`: its sources that have something waiting, in their order. */
interface Carrier {
  readonly waiting: Source[];
}

export class Gate {
  readonly #sources = new Map<string, Source>();
  readonly #turns: Carrier[] = [];
  readonly #gateways: Carrier = { waiting: [] };
  #running = 0;
  #held_bytes = 0;
  readonly #now: () => number;
  readonly #afterOthers: (then: () => void) => void;

  /** `afterOthers` calls back once what else is due has had its turn. */
  constructor(now: () => number, afterOthers: (then: () => void) => void) {
    this.#now = now;
    this.#afterOthers = afterOthers;
  }

  /** False: the source has spent its budget, and is not worth a look. */
  admits(source: string): boolean {
    const known = this.#sources.get(source);
    return !known || this.#faultsNow(known) < limits.source_faults_max;
  }

  /** A new connection: asked before its TLS handshake, and counted. */
  admitsConnection(source: string): boolean {
    if (!this.admits(source)) return false;
    const known = this.#known(source);
    const passed_s = (this.#now() - known.connected_ms) / 1000;
    const now = Math.max(0, known.connections - passed_s * limits.source_connections_refill_per_s);
    known.connected_ms = this.#now();
    known.connections = now;
    if (now >= limits.source_connections_burst_max) return false;
    known.connections += 1;
    return true;
  }

  retryAfter_s(source: string): number {
    const known = this.#sources.get(source);
    const over = known ? this.#faultsNow(known) - limits.source_faults_max + 1 : 0;
    return Math.max(1, Math.ceil(over / limits.source_faults_refill_per_s));
  }

  /** Something that no honest console sends. */
  fault(source: string): void {
    const known = this.#known(source);
    known.faults = this.#faultsNow(known) + 1;
    known.at_ms = this.#now();
  }

  /** Waits for a turn to do private-key work on a message of so many bytes, does it, and passes the turn on. */
  async inTurn<T>(source: string, bytes: number, work: () => Promise<Result<T>>): Promise<Result<T>> {
    const known = this.#known(source);
    if (
      known.held_bytes + bytes > limits.source_held_bytes_max ||
      this.#held_bytes + bytes > limits.held_bytes_max
    )
      return refuse('too-many', 'more bytes at once than may wait');
    known.held_bytes += bytes;
    this.#held_bytes += bytes;
    try {
      return await this.#whenItsTurn(known, source, work);
    } finally {
      known.held_bytes -= bytes;
      this.#held_bytes -= bytes;
    }
  }

  async #whenItsTurn<T>(known: Source, source: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
    if (this.#running >= limits.private_operations_at_once_max) {
      if (known.waiting.length >= limits.source_waiting_max)
        return refuse('too-many', 'more requests at once than one source may have');
      await new Promise<void>((resolve) => {
        if (known.waiting.push(resolve) > 1) return;
        if (known.carrier.waiting.push(known) === 1) this.#turns.push(known.carrier);
      });
    } else this.#running += 1;
    try {
      // What it sent meanwhile may have spent its budget: then what waits is not worth a private-key operation.
      const may = admitted(this, source);
      return may.ok ? await work() : may;
    } finally {
      this.#afterOthers(() => this.#passOn());
    }
  }

  /** The turn goes straight to the next one waiting, so that nobody can slip in between. */
  #passOn(): void {
    const carrier = this.#turns.shift();
    const source = carrier?.waiting.shift();
    const next = source?.waiting.shift();
    if (source && source.waiting.length > 0) carrier?.waiting.push(source);
    if (carrier && carrier.waiting.length > 0) this.#turns.push(carrier);
    if (next) next();
    else this.#running -= 1;
  }

  #known(name: string): Source {
    const known = this.#sources.get(name);
    if (known) return known;
    if (this.#sources.size >= limits.sources_remembered_max) this.#forget();
    const now = this.#now();
    const made: Source = {
      carrier: name.startsWith(gatewaySource) ? this.#gateways : { waiting: [] },
      faults: 0,
      at_ms: now,
      connections: 0,
      connected_ms: now,
      held_bytes: 0,
      waiting: [],
    };
    this.#sources.set(name, made);
    return made;
  }

  #faultsNow(source: Source): number {
    // Most sources never sent anything wrong, and every message asks: the clock is a call into the kernel.
    if (source.faults === 0) return 0;
    const passed_s = (this.#now() - source.at_ms) / 1000;
    return Math.max(0, source.faults - passed_s * limits.source_faults_refill_per_s);
  }

  /** First those with a clean record; when all have faults, the oldest, so that memory stays bounded. */
  #forget(): void {
    for (const [name, source] of this.#sources)
      if (source.held_bytes === 0 && this.#faultsNow(source) === 0) this.#sources.delete(name);
    for (const [name, source] of this.#sources) {
      if (this.#sources.size < limits.sources_remembered_max) return;
      if (source.held_bytes === 0) this.#sources.delete(name);
    }
  }
}

export function admitted(gate: Gate, source: string): Result<void> {
  return gate.admits(source)
    ? ok(undefined)
    : refuse('too-many', 'this source sent too much that could not be read', {
        data: { retryAfter: gate.retryAfter_s(source) },
      });
}
