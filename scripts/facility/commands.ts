import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { distPath } from '../../test/facility/bed/index.js';
import type { Facility } from './facility.js';

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}

/**
 * Writes small programs that a person can call from any terminal while the facility stands: each enters the right
 * place and runs there what it is named after. For one without root they first enter the user namespace of this run.
 */
export async function writeCommands(facility: Facility): Promise<string> {
  const { bed } = facility;
  const dir = join(bed.dir, 'bin');
  await mkdir(dir, { recursive: true });
  const own = process.env['BMONITOR_INSIDE'] !== undefined;
  const inside = own ? `nsenter --target ${process.pid} --user --mount --preserve-credentials ` : '';
  const enter = (namespace: string): string => `exec ${inside}nsenter --net=/run/netns/${namespace} `;
  const write = async (name: string, line: string): Promise<void> =>
    writeFile(join(dir, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  await Promise.all(
    facility.consoles.map(async (it) => {
      await write(it.name, `${enter(it.place.namespace)}${quoted(it.command())} "$@"`);
    }),
  );
  await write('at', `place=$1; shift\nexec ${inside}nsenter --net=/run/netns/${bed.name}-"$place" "$@"`);
  await write('bmonitor', `exec ${quoted([process.execPath, distPath('bmonitor/cli/index.js')])} "$@"`);
  return dir;
}
