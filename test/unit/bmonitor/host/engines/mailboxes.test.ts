import { expect } from 'chai';
import type { Came, InnerSockets } from '../../../../../bmonitor/host/engines/inner-sockets.js';
import type { Handle } from '../../../../../bmonitor/host/engines/instances.js';
import { Mailboxes } from '../../../../../bmonitor/host/engines/mailboxes.js';
import type { EngineSettings } from '../../../../../protocol/engines.js';
import { limits } from '../../../../../protocol/limits.js';
import { silentLog } from '../../../../../protocol/log.js';
import { ok } from '../../../../../protocol/result.js';

const peers = { far: { address: '192.0.2.1', port: 7410 } };
const settings = {
  image: `sha256:${'0'.repeat(64)}`,
  messages: { port: 7410, key: 'shared', peers },
} as EngineSettings;
const handle = { id: 'one', lease: 'lease' } as Handle;

/** Mailboxes of one engine, whose secrets cannot be read: the journal is being closed. */
function mailboxes(): { readonly all: Mailboxes; readonly came: () => Came | undefined } {
  let came: Came | undefined;
  const inner = {
    listen: (_: Handle, __: object, heard: Came) => {
      came = heard;
      return Promise.resolve(ok(() => {}));
    },
  } as unknown as InnerSockets;
  const all = new Mailboxes({
    inner,
    handleOf: () => handle,
    sockets: { deliver: () => 'taken' },
    secretOf: () => Promise.reject(new Error('closed')),
    neighbours: () => [{ id: 'one', name: 'web', settings, address: '100.96.0.1' }],
    node: () => 'node-1',
    now: () => 0,
    log: silentLog,
  });
  return { all, came: () => came };
}

describe('messages of engines while secrets cannot be read', () => {
  it('are not answered when they come, and end nothing', async () => {
    const { all, came } = mailboxes();
    const running = { id: 'one', lease: 'lease', round: 1, revision: 1, pid: 1, since_ms: 0, frozen: false };
    all.begin({ ...running, settings });
    expect(await came()?.('192.0.2.1', Buffer.from('x'))).to.deep.equal(Buffer.alloc(0));
  });

  it('do not count as under way for ever when they were to be sent', async () => {
    const { all } = mailboxes();
    for (let at = 0; at < limits.engine_messages_at_once_max + 1; at += 1)
      expect(await all.send('one', 'far', '').catch(String)).to.equal('Error: closed');
  });
});
