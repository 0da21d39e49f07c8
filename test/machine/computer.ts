import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, copyFile, cp, mkdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../fakes/until.js';
import { Agent, type Ran } from './agent.js';

const firmware = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const variables = '/usr/share/OVMF/OVMF_VARS_4M.fd';
export const mac = '52:54:00:00:00:07';

/**
 * A computer: a disk, a TPM, firmware that remembers, and power. Emulated without any help of the processor, so that it runs wherever the
 * tests do. What it is made of lies in its folder, and can be put into another one.
 */
export class Computer {
  #power: { readonly machine: ChildProcess; readonly tpm: ChildProcess } | undefined;
  #agent: Agent | undefined;

  private constructor(
    private readonly image: string,
    readonly folder: string,
  ) {}

  /** A new one, with the disk as it was made. */
  static async make(image: string, folder: string): Promise<Computer> {
    await mkdir(join(folder, 'tpm'), { recursive: true });
    const disk = join(image, 'disk.ext4');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', disk, join(folder, 'disk')]);
    execFileSync('truncate', ['-s', '64M', join(folder, 'sata')]);
    await copyFile(variables, join(folder, 'variables'));
    return new Computer(image, folder);
  }

  /** Another one with the same disk; `same`: the same in everything, as if no time had passed. */
  async copy(folder: string, what: 'disk' | 'same'): Promise<Computer> {
    const other = await Computer.make(this.image, folder);
    await copyFile(this.disk, other.disk);
    if (what === 'disk') return other;
    await cp(join(this.folder, 'tpm'), join(folder, 'tpm'), { recursive: true });
    await copyFile(join(this.folder, 'variables'), join(folder, 'variables'));
    return other;
  }

  get disk(): string {
    return join(this.folder, 'disk');
  }

  /** `cable`: the interface of this namespace to which its network is connected. */
  async powerOn(
    options: { readonly cable?: string; readonly system?: 'boot' | 'other' } = {},
  ): Promise<void> {
    const at = (name: string): string => join(this.folder, name);
    await rm(at('tpm.sock'), { force: true });
    const tpm = spawn(
      'swtpm',
      `socket --tpm2 --tpmstate dir=${at('tpm')} --ctrl type=unixio,path=${at('tpm.sock')} --terminate`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    await until(() => existsSync(at('tpm.sock')) || tpm.exitCode !== null);
    const words = [
      '-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -display none',
      `-drive if=pflash,format=raw,readonly=on,file=${firmware}`,
      `-drive if=pflash,format=raw,file=${at('variables')}`,
      `-drive if=virtio,format=qcow2,file=${this.disk}`,
      `-kernel ${join(this.image, `${options.system ?? 'boot'}.efi`)}`,
      `-chardev socket,id=tpm,path=${at('tpm.sock')} -tpmdev emulator,id=tpm,chardev=tpm`,
      '-device tpm-tis,tpmdev=tpm -device virtio-rng-pci -device virtio-serial',
      `-chardev socket,id=agent,path=${at('agent.sock')},server=on,wait=off`,
      '-device virtserialport,chardev=agent,name=agent',
      // What servers have: a management controller, and a disk that keeps count of its faults.
      '-device ipmi-bmc-sim,id=controller -device isa-ipmi-kcs,bmc=controller',
      `-drive if=none,id=sata,format=raw,file=${at('sata')} -device ide-hd,drive=sata,bus=ide.0`,
      `-monitor unix:${at('monitor.sock')},server,nowait -serial file:${at('serial.log')}`,
      options.cable === undefined
        ? '-nic none'
        : `-netdev tap,id=net,ifname=${options.cable},script=no,downscript=no -device virtio-net-pci,netdev=net,mac=${mac},romfile=`,
    ].flatMap((line) => line.split(' '));
    const machine = spawn('qemu-system-x86_64', words, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#power = { machine, tpm };
    this.#agent = await Agent.reach(at('agent.sock'));
    await this.run('true');
  }

  /** Waits until it has started by itself. */
  run(script: string): Promise<Ran> {
    if (!this.#agent) throw new Error('the computer is off');
    return this.#agent.run(script);
  }

  async must(script: string): Promise<string> {
    const { code, output } = await this.run(script);
    if (code !== 0) throw new Error(`${script}\nended with ${code}:\n${output}`);
    return output;
  }

  /** What was measured, as the kernel shows it. */
  async registers(): Promise<Readonly<Record<string, string>>> {
    const said = await this.must('cd /sys/class/tpm/tpm0/pcr-sha256 && grep -H . 0 2 4 7 8 9 11 12 13');
    return Object.fromEntries(
      said
        .trim()
        .split('\n')
        .map((line) => line.split(':') as [string, string]),
    );
  }

  async serial(): Promise<string> {
    return readFile(join(this.folder, 'serial.log'), 'utf8').catch(() => '');
  }

  /** The plug is pulled. */
  async cutPower(): Promise<void> {
    const power = this.#power;
    if (!power) return;
    await this.#monitor('quit').catch(() => power.machine.kill('SIGKILL'));
    await this.off();
  }

  /** Resolves when it has switched itself off. */
  async off(): Promise<void> {
    const power = this.#power;
    if (!power) return;
    for (const part of [power.machine, power.tpm])
      if (part.exitCode === null && part.signalCode === null) await once(part, 'exit');
    this.#agent?.close();
    this.#power = undefined;
  }

  /** Does what makes it start anew, and waits until it did; the firmware measures anew. */
  async startsAnew(because: () => Promise<unknown>): Promise<void> {
    const boot = await this.must('cat /proc/sys/kernel/random/boot_id');
    await because();
    this.#agent?.close();
    await until(async () => {
      this.#agent = await Agent.reach(join(this.folder, 'agent.sock'));
      const said = await Promise.race([
        this.run('cat /proc/sys/kernel/random/boot_id').catch(() => undefined),
        // What a machine that is just starting was asked it answers in turn: asking again and again would only make it later.
        pause(30_000),
      ]);
      if (said !== undefined && said.code === 0 && said.output !== boot) return true;
      this.#agent.close();
      return false;
    }, 600_000);
  }

  /** A thief with a screwdriver: the file gets one line more. */
  async alter(path: string): Promise<void> {
    const [raw, file] = [join(this.folder, 'raw'), join(this.folder, 'altered')];
    execFileSync('qemu-img', ['convert', '-O', 'raw', this.disk, raw]);
    const ask = (request: string): void =>
      void execFileSync('debugfs', ['-w', '-R', request, raw], { stdio: 'pipe' });
    ask(`dump ${path} ${file}`);
    await appendFile(file, '// one line more\n');
    ask(`rm ${path}`);
    ask(`write ${file} ${path}`);
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', raw, this.disk]);
    await rm(raw);
  }

  /** The disk stays, in the machine of the other one as it is now. */
  async takeTpmOf(other: Computer): Promise<void> {
    await rm(join(this.folder, 'tpm'), { recursive: true });
    await cp(join(other.folder, 'tpm'), join(this.folder, 'tpm'), { recursive: true });
    await copyFile(join(other.folder, 'variables'), join(this.folder, 'variables'));
  }

  /** Resolves when it has gone to sleep: its processors stand still, and its memory is kept. */
  async asleep(): Promise<void> {
    await until(
      async () => /VM status: paused \(suspended\)/.test(await this.#monitor('info status')),
      300_000,
    );
  }

  /** As a packet or the management controller would. */
  async wake(): Promise<void> {
    await this.#monitor('system_wakeup');
  }

  /** Says something to the emulator, and gives what it answered. */
  #monitor(words: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.folder, 'monitor.sock'));
      let said = '';
      let asked = false;
      socket.on('error', reject);
      socket.on('close', () => resolve(said));
      socket.on('data', (data: Buffer) => {
        said += data.toString();
        // The first prompt greets, the second follows the answer.
        if (!said.includes('(qemu) ')) return;
        if (asked && said.lastIndexOf('(qemu) ') > said.indexOf('(qemu) ')) socket.end();
        if (asked) return;
        asked = true;
        socket.write(`${words}\n`);
      });
    });
  }

  async remove(): Promise<void> {
    this.#power?.machine.kill('SIGKILL');
    await this.off();
  }
}
