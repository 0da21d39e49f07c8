import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';

const listener = fileURLToPath(new URL('../../../test/fakes/supervisor.py', import.meta.url));

describe('a node that is looked after by systemd', function () {
  this.timeout(120_000);
  let folder: string;
  let systemd: ChildProcess;
  let node: NodeProcess;
  let heard = '';
  const fed = (): number => heard.split('WATCHDOG=1').length - 1;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bmonitor-notify-'));
    const socket = join(folder, 'notify');
    systemd = spawn('python3', [listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    systemd.stdout?.on('data', (data: Buffer) => (heard += data.toString()));
    await until(() => heard.includes('ready'));
    node = await NodeProcess.make({ env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' } });
  });
  after(async () => {
    await node.remove();
    systemd.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('says that it is ready once it is, and then again and again that it lives', async () => {
    expect(heard).to.not.include('READY=1');
    await node.start();
    await until(() => heard.includes('READY=1 STATUS=node node-1'));
    await until(() => fed() > 2);
  });

  it('says nothing while its loop does not turn', async () => {
    process.kill(node.pid, 'SIGSTOP');
    let before = -1;
    // What was on its way may still come.
    await until(async () => {
      const still = fed() === before;
      before = fed();
      await new Promise((resolve) => setTimeout(resolve, 500));
      return still;
    });
    process.kill(node.pid, 'SIGCONT');
    await until(() => fed() > before);
  });

  it('says that it stops', async () => {
    await node.kill('SIGTERM');
    await until(() => heard.includes('STOPPING=1'));
  });
});
