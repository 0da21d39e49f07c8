import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { compileSet } from '../filters/compile.js';
import type { Outcome } from '../filters/explain/index.js';
import { readAddresses, readLayers, readNames } from './filter-files.js';
import { failInput, need } from './filters.js';

interface ExplainFlags {
  readonly layers: string;
  readonly address: string[];
  readonly capture: string;
  readonly names?: string;
  readonly whole?: boolean;
  readonly json?: boolean;
}

const examples = `
One line per packet: pass, drop, ambiguous (the capture does not show enough) or ignored (filters do not judge it).

Examples:
  bmonitor filters explain --layers boundary.json,mine.json --address 10.0.0.7 --capture x.pcap
  tcpdump -i eth0 -w - | bmonitor filters explain --layers boundary.json --address 10.0.0.7 --capture - --json
`;

export function addExplain(
  filters: Command,
  append: (value: string, list?: readonly string[]) => string[],
): void {
  filters
    .command('explain')
    .description('says for every packet of a capture whether it passes, and by which filter')
    .requiredOption('--layers <files>', 'the sets of all levels from the top, with commas between')
    .requiredOption('--address <address>', 'an address of the node; may be given several times', append)
    .requiredOption('--capture <file>', 'a pcap file; - is standard input')
    .option('--names <file>', 'what names stand for: {"node:web-1": ["10.3.0.7"]}')
    .option('--whole', 'the capture shows every packet since the node knew no connection')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', examples)
    .action(explain);
}

async function explain(flags: ExplainFlags): Promise<void> {
  const json = flags.json === true;
  const names = need(await readNames(flags.names), json);
  const layers = need(await readLayers(flags.layers, names), json);
  const addresses = need(readAddresses(flags.address), json);
  const levels = layers.map((layer) => need(compileSet(layer.normal), json));
  const source = need(await openCapture(flags.capture), json);
  const lines = new Lines(json);
  const options = { levels, addresses, whole: flags.whole === true };
  const { explainCapture } = await import('../filters/explain/index.js');
  const result = await explainCapture(source, options, (number, outcome) => lines.add(number, outcome));
  lines.flush();
  if (!result.ok) return failInput({ ...result.refusal, where: flags.capture }, json);
  if (result.value.torn)
    process.stderr.write(`${flags.capture} ends in the middle of packet ${result.value.packets + 1}\n`);
}

async function openCapture(file: string): Promise<Result<AsyncIterable<Buffer>>> {
  if (file === '-') return ok(process.stdin);
  try {
    await access(file);
    return ok(createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>);
  } catch (error) {
    return refuse('bad-input', messageOf(error), { where: file });
  }
}

const flush_chars = 1 << 16;

/** Most packets share their outcome with many others, so its text is made once. */
class Lines {
  readonly #json: boolean;
  readonly #texts = new Map<Outcome, string>();
  #pending = '';

  constructor(json: boolean) {
    this.#json = json;
  }

  add(number: number, outcome: Outcome): void {
    let text = this.#texts.get(outcome);
    if (text === undefined) {
      if (this.#texts.size > 10_000) this.#texts.clear();
      text = this.#json ? JSON.stringify(outcome).slice(1) : `${outcome.verdict}  ${outcome.reason}`;
      this.#texts.set(outcome, text);
    }
    this.#pending += this.#json ? `{"n":${number},${text}\n` : `${number}  ${text}\n`;
    if (this.#pending.length > flush_chars) this.flush();
  }

  flush(): void {
    process.stdout.write(this.#pending);
    this.#pending = '';
  }
}
