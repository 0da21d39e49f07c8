// The node's DHCP client by itself, in a process of its own, because it has to live in a namespace: what a test of addresses starts there.
// Usage: client-process.js INTERFACE MEMORY-FILE. Logs as the node does; `release` on its input gives the address back.
import { createInterface } from 'node:readline';
import { AddressKeeper } from '../../../bmonitor/addresses/keeper.js';
import { openAddressLink } from '../../../bmonitor/host/addresses/link.js';
import { addressFile } from '../../../bmonitor/host/addresses/memory.js';
import { hostClock } from '../../../bmonitor/host/clock.js';
import { stderrLog } from '../../../protocol/log.js';

const [name = '', memory = ''] = process.argv.slice(2);
const log = stderrLog('debug');
const keeper = new AddressKeeper({
  open: (events) => openAddressLink(name, events),
  clock: hostClock,
  random: Math.random,
  hostname: 'node-under-test',
  memory: addressFile(memory),
  changed: () => Promise.resolve(),
  log,
});
const started = await keeper.start();
if (!started.ok) {
  log.error('address.not-started', { why: started.refusal.detail });
  process.exit(1);
}
createInterface(process.stdin).on('line', (line) => {
  if (line === 'release') void keeper.release().then(() => log.info('address.released', {}));
});
process.on('SIGTERM', () => void keeper.close().then(() => process.exit(0)));
