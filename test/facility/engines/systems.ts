import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { smallSystem } from './rig.js';

/** Puts a program of the machine into a system, with the libraries it needs. */
export function addProgram(folder: string, program: string, to: string): void {
  cpSync(program, join(folder, to), { dereference: true });
  chmodSync(join(folder, to), 0o755);
  addLibraries(folder, program);
}

function addLibraries(folder: string, program: string): void {
  const needed = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/(?:usr\/)?lib\S+/gu) ?? [];
  for (const library of needed) {
    if (existsSync(join(folder, library))) continue;
    mkdirSync(dirname(join(folder, library)), { recursive: true });
    cpSync(library, join(folder, library), { dereference: true });
  }
}

/** Busybox and Python, whose ctypes reaches every system call. */
export function pythonSystem(): string {
  const folder = smallSystem();
  addProgram(folder, '/usr/bin/python3', 'bin/python3');
  const name = readdirSync('/usr/lib').find((one) => /^python3\.\d+$/.test(one)) ?? '';
  const without = /\/(__pycache__|test|idlelib|ensurepip|distutils|lib2to3|tkinter|pydoc_data)$/u;
  cpSync(join('/usr/lib', name), join(folder, 'usr/lib', name), {
    recursive: true,
    dereference: true,
    filter: (from) => !without.test(from) && (existsSync(from) || from.endsWith('.py')),
  });
  const dynamic = join('/usr/lib', name, 'lib-dynload');
  for (const file of readdirSync(dynamic).filter((one) => /^(_ctypes|_socket|_json|_posix)/u.test(one)))
    addLibraries(folder, join(dynamic, file));
  return folder;
}
