import { execFileSync } from 'node:child_process';

/** The machine, its console and a stranger, on one link in the namespace in which the suite runs. */
export const address = '10.77.0.7';
export const consoleAddress = '10.77.0.1';
export const stranger = '10.77.0.99';
const name = 'machine0';

/** One end of a cable, whose other end the computer has. */
export function layCable(): string {
  const ip = (words: string): void => void execFileSync('ip', words.split(' '), { stdio: 'pipe' });
  ip('link set lo up');
  ip(`tuntap add ${name} mode tap`);
  ip(`address add ${consoleAddress}/24 dev ${name}`);
  ip(`address add ${stranger}/24 dev ${name}`);
  ip(`link set ${name} up`);
  return name;
}

export function takeCableAway(): void {
  execFileSync('ip', ['link', 'delete', name], { stdio: 'pipe' });
}
