import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mac } from './computer.js';
import { address, consoleAddress, stranger } from './cable.js';

interface Heard {
  readonly sent: number;
  readonly heard: Readonly<Record<string, number>>;
}

/** What a closed machine may say: what an address needs, DHCP, and whatever it says to its console. */
const harmless: readonly string[] = ['arp', 'neighbours', 'dhcp', 'console'];

/** Packets of a stranger that never end, and a count of the answers. */
export class Flood {
  readonly #lines: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcess & { readonly stdout: NodeJS.ReadableStream }) {
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(cable: string): Promise<Flood> {
    const script = fileURLToPath(new URL('../../../test/machine/flood.py', import.meta.url));
    const child = spawn('python3', [script, cable, mac, address, stranger, consoleAddress], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const flood = new Flood(child);
    await flood.#lines.next();
    return flood;
  }

  /** Since it was last asked: how many packets were sent, and what was answered that a closed machine does not answer. */
  async answered(): Promise<{ readonly sent: number; readonly answers: Readonly<Record<string, number>> }> {
    this.child.stdin?.write('\n');
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the flood ended');
    const { sent, heard } = JSON.parse(line.value) as Heard;
    const answers = Object.entries(heard).filter(([kind]) => !harmless.includes(kind));
    return { sent, answers: Object.fromEntries(answers) };
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}
