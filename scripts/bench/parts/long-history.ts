import { noPower } from '../../../test/fakes/no-power.js';
// Gives the node of a folder a history of so many entries, by the same core as the daemon's, without sealing each command.
import { join } from 'node:path';
import { hostClock } from '../../../bmonitor/host/clock.js';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { TpmRootStore } from '../../../bmonitor/host/root-store-tpm.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import type { RootStore } from '../../../bmonitor/ports/root-store.js';
import { withoutEngines } from '../../../bmonitor/node/engines.js';
import { openHeart } from '../../../bmonitor/node/heart.js';
import { silentLog as log } from '../../../protocol/log.js';
import { newId } from '../../../protocol/request.js';
import { ok, refuse } from '../../../protocol/result.js';
import { must } from './bench-node.js';

const [, , folder = '', entries = '10000', tcti = ''] = process.argv;

const roots: RootStore =
  tcti === '' ? new FileRootStore(folder) : new TpmRootStore(folder, { tcti, pcrs: [0, 4, 7] });
const { core } = must(
  await openHeart({
    directories: refuse('data-no-store', 'this bench stores no files'),
    store: must(await openLevelStore(join(folder, 'store'))),
    roots,
    clock: hostClock,
    log,
    filters: { enforce: () => Promise.resolve(ok(undefined)) },
    engines: () => withoutEngines,
    power: noPower,
  }),
);
const [level] = core.state.levels;
const speaker = level.roster[0]?.id ?? '';
// As long as a signed command of the ordinary size.
const statement = 'x'.repeat(1300);
for (let at = core.state.levels[0].history.head.seq; at < Number(entries); at += 1) {
  const command = { type: 'node.rename' as const, name: `n-${at}` };
  must(
    await core.act({
      level: 0,
      lease: level.lease,
      console: speaker,
      jti: newId(),
      command,
      statement,
      provenNew: true,
    }),
  );
}
await core.close();
await roots.close?.();
