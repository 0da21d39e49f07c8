import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { PowerAct } from '../../protocol/power.js';
import { limits } from '../../protocol/limits.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { MachinePower } from '../ports/power.js';
import { Light } from './light.js';
import { program } from './program.js';

const verbs: Readonly<Record<PowerAct, string>> = {
  reboot: 'reboot',
  'power-off': 'poweroff',
  suspend: 'suspend',
};

/** Switches the machine through its service manager, or, where a machine holds many nodes, ends this process only. */
export class HostPower implements MachinePower {
  readonly actsOn: 'machine' | 'process';
  readonly start: string;
  /** What whoever started this process is asked to do with it. */
  readonly asked: Promise<PowerAct>;
  #ask: (act: PowerAct) => void = () => {};
  readonly #light: Light;
  readonly #stopping = new AbortController();

  constructor(actsOn: 'machine' | 'process', link: string | undefined) {
    this.actsOn = actsOn;
    this.start =
      actsOn === 'machine' ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : newId();
    this.asked = new Promise((resolve) => (this.#ask = resolve));
    this.#light = new Light(link);
  }

  async wait(seconds: number): Promise<void> {
    await pause(seconds * 1000, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  async act(act: PowerAct): Promise<Result<'going' | 'done'>> {
    if (this.actsOn === 'process') {
      if (act === 'suspend') return refuse('power-failed', 'this node is a process, which does not sleep');
      this.#ask(act);
      return ok('going');
    }
    const done = await program('systemctl', ['--no-ask-password', verbs[act]], limits.power_tool_ms_max);
    if (!done.ok) return refuse('power-failed', done.refusal.detail);
    return ok(act === 'suspend' ? 'done' : 'going');
  }

  light(on: boolean, seconds: number): Promise<Result<void>> {
    return this.#light.set(on, seconds);
  }

  /** Ends what is being waited for. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#light.close();
  }
}
