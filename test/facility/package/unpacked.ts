import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distPath, type BedProcess, type Place, type RunResult } from '../bed/index.js';

/**
 * The package as it is made for users, unpacked into a folder that is laid over /usr, in a mount namespace of its own, so that every path in it
 * is the real one. /var/lib is a folder of the test's.
 */
export class Unpacked {
  private constructor(private readonly dir: string) {}

  static make(dir: string): Unpacked {
    const out = join(dir, 'out');
    for (const name of ['out', 'tree', 'control', 'state']) mkdirSync(join(dir, name));
    const script = distPath('scripts/package.js');
    execFileSync(process.execPath, [script, '--out', out, '--compress', 'none'], { stdio: 'pipe' });
    const [deb = ''] = readdirSync(out);
    execFileSync('dpkg-deb', ['--extract', join(out, deb), join(dir, 'tree')]);
    execFileSync('dpkg-deb', ['--control', join(out, deb), join(dir, 'control')]);
    return new Unpacked(dir);
  }

  get state(): string {
    return join(this.dir, 'state');
  }

  get control(): string {
    return join(this.dir, 'control');
  }

  unit(name: string): string {
    return readFileSync(join(this.dir, 'tree/usr/lib/systemd/system', name), 'utf8');
  }

  /** Words that make a program see the package as installed. */
  installed(command: readonly string[]): readonly string[] {
    const over = `mount -t overlay overlay -o lowerdir=${this.dir}/tree/usr:/usr /usr && mount --bind ${this.state} /var/lib && exec "$@"`;
    return ['sh', '-c', over, 'sh', ...command];
  }

  run(place: Place, command: readonly string[]): Promise<RunResult> {
    return place.run(this.installed(command));
  }

  spawn(place: Place, command: readonly string[]): BedProcess {
    return place.spawn(this.installed(command));
  }

  /** With no more rights than the unit leaves to its program. */
  asUnit(name: string, command: readonly string[]): readonly string[] {
    const [, named = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(this.unit(name)) ?? [];
    const capabilities = named.split(' ').map((word) => `+${word.replace(/^CAP_/, '').toLowerCase()}`);
    const set = ['-all', ...capabilities].join(',');
    return ['setpriv', `--bounding-set=${set}`, '--inh-caps=-all', '--no-new-privs', ...command];
  }
}
