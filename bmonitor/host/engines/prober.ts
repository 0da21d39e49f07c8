import type { Probe } from '../../../protocol/engine-probes.js';
import { limits } from '../../../protocol/limits.js';
import { RecordReader, recordKinds } from '../../../protocol/records.js';
import type { EngineAsker, EngineDoors, EngineProber, Probed } from '../../ports/engines.js';
import type { Exchange, Exchanged, InnerSockets } from './inner-sockets.js';
import type { Handle } from './instances.js';

export interface ProberParts {
  readonly handleOf: (id: string) => Handle | undefined;
  /** Its own address in the node's network, for what listens there only. */
  readonly addressOf: (slot: number) => string | undefined;
  /** Of their own: people at a door must not make an engine look ill. */
  readonly doors: EngineDoors;
  readonly asker: EngineAsker;
  readonly inner: InnerSockets;
}

type Asked = Exclude<Probe, { kind: 'beat' }>;
type Of<K extends Asked['kind']> = Extract<Asked, { kind: K }>;

/** Tries engines out from inside: in their network, in their process, over their own socket. No filter stands between. */
export class HostProber implements EngineProber {
  readonly #parts: ProberParts;
  #commands = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  probe(id: string, probe: Asked, timeout_ms: number): Promise<Probed> {
    switch (probe.kind) {
      case 'tcp':
        return this.#tcp(id, probe, timeout_ms);
      case 'http':
        return this.#http(id, probe, timeout_ms);
      case 'ask':
        return this.#ask(id, probe, timeout_ms);
      case 'command':
        return this.#oneOfFew(() => this.#command(id, probe, timeout_ms));
    }
  }

  async #tcp(id: string, { port }: Of<'tcp'>, timeout_ms: number): Promise<Probed> {
    const said = await this.#exchange(id, { port, timeout_ms, until: 'open', say: Buffer.alloc(0) });
    return said.ok ? { well: true } : nobody(said, port);
  }

  async #http(id: string, probe: Of<'http'>, timeout_ms: number): Promise<Probed> {
    const { port, path = '/', status, contains } = probe;
    const lines = [`GET ${path} HTTP/1.1`, 'Host: localhost', 'User-Agent: bmonitor', 'Accept: */*'];
    const say = Buffer.from([...lines, 'Connection: close', '', ''].join('\r\n'));
    const until = contains === undefined ? 'line' : 'end';
    const said = await this.#exchange(id, { port, timeout_ms, until, say });
    if (!said.ok) return nobody(said, port);
    const text = said.bytes.toString('utf8');
    const [, got] = /^HTTP\/1\.[01] ([1-5][0-9]{2})[ \r]/.exec(text) ?? [];
    if (got === undefined) {
      if (said.late) return hung(`port ${port} took the request and did not answer in ${timeout_ms} ms`);
      return wrong(text === '' ? 'it hung up without an answer' : `not an answer of HTTP: ${shown(text)}`);
    }
    const code = Number(got);
    if (status === undefined ? code < 200 || code > 399 : code !== status)
      return wrong(`HTTP status ${code}${status === undefined ? '' : `, not ${status}`}`);
    if (contains === undefined || text.slice(text.indexOf('\r\n\r\n')).includes(contains))
      return { well: true };
    return said.late
      ? hung(`the answer was not whole in ${timeout_ms} ms`)
      : wrong('its answer does not contain what it should');
  }

  async #ask(id: string, { of, text, answer }: Of<'ask'>, timeout_ms: number): Promise<Probed> {
    const said = await this.#parts.asker.ask(id, of, text ?? '', timeout_ms);
    if (!said.ok) {
      const { detail = '', data } = said.refusal;
      return data?.['late'] === true ? hung(detail) : { well: false, why: 'silent', detail };
    }
    if (answer === undefined || said.value === answer) return { well: true };
    return wrong(`${of} said: ${shown(said.value)}`);
  }

  async #command(id: string, { command }: Of<'command'>, timeout_ms: number): Promise<Probed> {
    const door = await this.#parts.doors.open(id, { kind: 'exec', command });
    if (!door.ok) return { well: false, why: 'silent', detail: door.refusal.detail ?? door.refusal.code };
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      door.value.close();
    }, timeout_ms);
    let [code, said]: [number | undefined, string] = [undefined, ''];
    try {
      const reader = new RecordReader();
      for await (const piece of door.value.output) {
        const records = reader.take(Buffer.from(piece));
        if (!records.ok) break;
        for (const { kind, bytes } of records.value)
          if (kind === recordKinds.ended) code = bytes[0];
          else if (said.length < limits.engine_probe_words_max) said += bytes.toString();
      }
    } finally {
      clearTimeout(timer);
      door.value.close();
    }
    if (late) return hung(`the command did not end in ${timeout_ms} ms`);
    if (code === 0) return { well: true };
    const why = said.trim() === '' ? '' : `: ${shown(said.trim())}`;
    return code === undefined
      ? { well: false, why: 'silent', detail: `the command could not be run${why}` }
      : wrong(`the command ended with ${code}${why}`);
  }

  async #exchange(
    id: string,
    order: Pick<Exchange, 'port' | 'timeout_ms' | 'until' | 'say'>,
  ): Promise<Exchanged> {
    const { handleOf, addressOf, inner } = this.#parts;
    const handle = handleOf(id);
    if (!handle) return { ok: false, why: 'gone', detail: 'it does not run' };
    const own = addressOf(handle.slot);
    const addresses = ['127.0.0.1', '::1', ...(own === undefined ? [] : [own])];
    return inner.exchange(handle, {
      ...order,
      addresses,
      bytes_max: limits.engine_probe_bytes_max,
      shut: false,
    });
  }

  /** The runtime takes much of a processor for each: they wait for one another, and none of their own time passes. */
  async #oneOfFew(work: () => Promise<Probed>): Promise<Probed> {
    if (this.#commands >= limits.engine_probe_commands_at_once_max)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#commands += 1;
    try {
      return await work();
    } finally {
      this.#commands -= 1;
      this.#waiting.shift()?.();
    }
  }
}

function nobody(said: Exclude<Exchanged, { ok: true }>, port: number): Probed {
  const detail = `port ${port}: ${said.detail}`;
  return said.why === 'late' ? hung(detail) : { well: false, why: 'silent', detail };
}

function hung(detail: string): Probed {
  return { well: false, why: 'hung', detail };
}

function wrong(detail: string): Probed {
  return { well: false, why: 'wrong-answer', detail };
}

/** What an engine says is shown in part, and no control characters of it reach a terminal. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, limits.engine_probe_words_max));
}
