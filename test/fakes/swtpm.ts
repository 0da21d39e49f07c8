import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TpmTools } from '../../bmonitor/host/tpm-tools.js';
import { value } from './results.js';
import { until } from './until.js';

/** A TPM of its own for one test: the emulator that virtual machines get, with its state in a folder that is removed. */
export class SoftwareTpm {
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(readonly folder: string) {}

  static async make(): Promise<SoftwareTpm> {
    const tpm = new SoftwareTpm(await mkdtemp(join(tmpdir(), 'bmonitor-tpm-')));
    await tpm.powerOn();
    return tpm;
  }

  get tcti(): string {
    return `swtpm:host=127.0.0.1,port=${this.#port}`;
  }

  get tools(): TpmTools {
    return new TpmTools(this.tcti);
  }

  async powerOn(): Promise<void> {
    // Two free ports side by side: another process may take one in between, then the next try finds others.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      this.#port = await freePort();
      const end = (kind: string, port: number): string[] => [
        `--${kind}`,
        `type=tcp,port=${port},bindaddr=127.0.0.1`,
      ];
      const child = spawn(
        'swtpm',
        [
          ...`socket --tpm2 --flags not-need-init,startup-clear --tpmstate dir=${this.folder}`.split(' '),
          ...end('server', this.#port),
          ...end('ctrl', this.#port + 1),
        ],
        { stdio: 'ignore' },
      );
      this.#child = child;
      await until(async () => child.exitCode !== null || (await answers(this.#port)));
      if (child.exitCode === null) return;
    }
    throw new Error('the emulator of the TPM found no port');
  }

  /** The registers start anew, what is non-volatile stays. */
  async powerOff(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async reboot(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
  }

  /** Something is measured into a register. */
  async measure(register: number, what = 'a'): Promise<void> {
    value(await this.tools.run('tpm2_pcrextend', [`${register}:sha256=${what.repeat(64)}`]));
  }

  async clear(): Promise<void> {
    value(await this.tools.run('tpm2_clear', ['-c', 'p']));
  }

  async copyStateTo(folder: string): Promise<void> {
    await cp(this.folder, folder, { recursive: true });
  }

  async remove(): Promise<void> {
    await this.powerOff();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
