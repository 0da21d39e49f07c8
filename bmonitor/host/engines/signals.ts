import { bornOf, type Handle } from './instances.js';

/** To the process of an engine, and to no other that has its number by now. */
export async function signal({ pid, born }: Handle, name: NodeJS.Signals): Promise<void> {
  if ((await bornOf(pid)) === born) quietly(pid, name);
}

export function quietly(pid: number, name: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

const stopSignals: ReadonlySet<string> = new Set([
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
]);

export function signalOf(name: string): NodeJS.Signals {
  const full = name.startsWith('SIG') ? name : `SIG${name}`;
  return stopSignals.has(full) ? (full as NodeJS.Signals) : 'SIGTERM';
}

/** With conmon go the mounts in which the engine lived: until then its files are in use. It ends right after it wrote how the engine did. */
export async function buried(watcher: number): Promise<void> {
  for (let tries = 0; tries < 200 && (await bornOf(watcher)) !== undefined; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 5));
}
