import type { Reading } from '../../ports/health.js';
import { hostClock } from '../clock.js';
import { MachineFiles, said } from './machine.js';
import { ClockProbe, probeBuses, probeNetwork, probePower } from './machine-probes.js';
import { probeDisks, probeMemory, probeProcessors, type ProbeOptions } from './probes.js';

/** All probes of this machine, one round after another: none runs beside another, so that they disturb the machine as little as can be. */
export class MachineProbes {
  readonly #options: ProbeOptions;
  readonly #clock = new ClockProbe(() => ({ wall: hostClock.wall(), sinceBoot: hostClock.sinceBoot() }));

  constructor(options: Omit<ProbeOptions, 'files'>, files: MachineFiles = new MachineFiles()) {
    this.#options = { ...options, files };
  }

  async round(): Promise<readonly Reading[]> {
    const found: Reading[] = [...this.#clock.read(), await synchronised()];
    for (const probe of [probeProcessors, probeMemory, probeDisks, probeNetwork, probeBuses, probePower])
      found.push(...(await probe(this.#options)));
    return found;
  }
}

async function synchronised(): Promise<Reading> {
  const [subject, item] = ['clock', 'synchronised'] as const;
  const word = await said('timedatectl', 'show', '--property=NTPSynchronized', '--value');
  if (word !== 'yes' && word !== 'no')
    return { subject, item, kind: 'absent', why: 'the machine does not say' };
  return { subject, item, kind: 'check', ok: word === 'yes', said: word };
}
