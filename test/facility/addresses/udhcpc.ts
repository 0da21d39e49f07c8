import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place } from '../bed/index.js';

/** The address that udhcpc is given at this place, or nothing. It is not put on the card. */
export async function udhcpc(place: Place): Promise<string> {
  await place.must(['ip', 'link', 'set', place.nic, 'up']);
  const folder = await place.dir();
  const [file, result] = [join(folder, 'script'), join(folder, 'result')];
  await writeFile(file, '#!/bin/sh\n[ "$1" = bound ] && env > "$RESULT"\nexit 0\n', { mode: 0o755 });
  const command = ['udhcpc', '-i', place.nic, '-s', file, '-f', '-q', '-n', '-t', '3', '-T', '2'];
  const { code } = await place.run(command, { env: { RESULT: result } });
  return code === 0 ? (/^ip=(.*)$/m.exec(await readFile(result, 'utf8'))?.[1] ?? '') : '';
}
