import { noPower } from '../../../test/fakes/no-power.js';
// A node that makes as many events as its parent asks for: started by the bench of commands, not by itself.
import { join } from 'node:path';
import { hostClock, hostTiming } from '../../../bmonitor/host/clock.js';
import { listen } from '../../../bmonitor/host/listen.js';
import { FileRootStore } from '../../../bmonitor/host/root-store-file.js';
import { openLevelStore } from '../../../bmonitor/host/store-level.js';
import { Answers } from '../../../bmonitor/node/answers.js';
import { Gate } from '../../../bmonitor/node/gate.js';
import { openHeart } from '../../../bmonitor/node/heart.js';
import { Nonces } from '../../../bmonitor/node/nonces.js';
import { Notices } from '../../../bmonitor/node/notices.js';
import { Seen } from '../../../bmonitor/node/seen.js';
import { Service } from '../../../bmonitor/node/serve.js';
import { silentLog as log } from '../../../protocol/log.js';
import { newId } from '../../../protocol/request.js';
import { EngineReport } from '../../../bmonitor/node/engine-report.js';
import { withoutEngines } from '../../../bmonitor/node/engines.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.refusal.code);
  return result.value;
}

const folder = process.argv[2] ?? '';
const { core, journal, events, time } = must(
  await openHeart({
    directories: refuse('data-no-store', 'this bench stores no files'),
    store: must(await openLevelStore(join(folder, 'store'))),
    roots: new FileRootStore(folder),
    clock: hostClock,
    log,
    filters: { enforce: () => Promise.resolve(ok(undefined)) },
    engines: () => withoutEngines,
    power: noPower,
  }),
);
const machine = {
  keyStore: 'file' as const,
  version: '',
  kernelRelease: '6.18.0',
  started_s: 0,
  filters: () => ({ enforced: 'no' as const }),
  engines: new EngineReport(refuse('engines-not-here')),
};
const answers = new Answers({ core, journal, events, machine });
const gate = new Gate(() => hostClock.sinceBoot(), hostTiming.afterOthers);
const nonces = new Nonces(hostClock);
const boot = newId();
const notices = new Notices({ core, time, keyStore: 'file', boot, log });
const service = new Service({ core, answers, nonces, notices, seen: new Seen(), gate, time, boot, log });
const listening = must(
  await listen({
    host: '127.0.0.1',
    port: 0,
    tls: journal.ring.tls,
    name: 'bench',
    admits: () => true,
    serve: (channel) => service.serve(channel),
    log,
  }),
);
process.on('message', (count: number) => void makeEvents(count));
process.send?.(listening.port);

/** In portions, as they would come: each is written durably, and followers get it from there. */
async function makeEvents(count: number): Promise<void> {
  const text = 'x'.repeat(256 - '{"seq":1234567,"time":1800000000,"kind":"bench","text":""}'.length);
  for (let made = 0; made < count; made += 5000) {
    for (let at = made; at < Math.min(count, made + 5000); at += 1)
      events.add({ to: [0], kind: 'bench', fields: { text } });
    await core.flushEvents();
  }
}
