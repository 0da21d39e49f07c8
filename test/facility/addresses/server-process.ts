// The console's DHCP server by itself, in a process of its own, because it has to live in a namespace.
// Usage: server-process.js INTERFACE ADDRESS FOLDER. Each line of its input is a call: {"id", "do", "with"}; each line of its output an answer.
import { createInterface } from 'node:readline';
import { openLevelStore } from '../../../console/store/level.js';
import { DhcpServer } from '../../../console-cluster/dhcp/server.js';
import { stderrLog } from '../../../protocol/log.js';

const [name = '', address = '', folder = ''] = process.argv.slice(2);
const log = stderrLog('info');
const store = await openLevelStore(folder);
if (!store.ok) throw new Error(store.refusal.detail ?? store.refusal.code);
const opened = await DhcpServer.open({
  interface: name,
  address,
  store: store.value,
  log,
  now: () => Date.now(),
});
if (!opened.ok) throw new Error(opened.refusal.detail ?? opened.refusal.code);
const server = opened.value;
log.info('dhcp.ready', {});

interface Call {
  readonly id: number;
  readonly do: 'pool' | 'machines' | 'waiting' | 'held';
  readonly with?: unknown;
}

async function answer(call: Call): Promise<unknown> {
  switch (call.do) {
    case 'pool':
      return server.setPool(call.with);
    case 'machines':
      return Promise.all((call.with as readonly unknown[]).map((machine) => server.setMachine(machine)));
    case 'waiting':
      return server.waiting();
    case 'held':
      return server.held();
  }
}

createInterface(process.stdin).on('line', (line) => {
  const call = JSON.parse(line) as Call;
  void answer(call).then((result) =>
    process.stdout.write(`${JSON.stringify({ answer: call.id, result })}\n`),
  );
});
