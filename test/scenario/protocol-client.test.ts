import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Hub } from '../../console-cluster/gateway/hub.js';
import { listenGateway, type GatewayListening } from '../../console-cluster/gateway/listen.js';
import { toB64u } from '../../crypto/bytes.js';
import { selfSignedPem } from '../../crypto/certificate.js';
import { makePair } from '../../crypto/rsa.js';
import { silentLog } from '../../protocol/log.js';
import { ok } from '../../protocol/result.js';
import { root } from '../../scripts/run/root.js';
import { pythonClient, pythonListener } from '../protocol-client/run.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

describe('a client in another language, written from docs/protocol.md alone', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  let hub: Hub;
  let listening: GatewayListening;
  let gateway: string;
  before(async () => {
    const tls = await makePair(2048);
    const pin = tls.public.spkiDigest;
    hub = new Hub({
      policy: {
        node: () => Promise.resolve(ok(true)),
        console: () => Promise.resolve(ok({ party: 'all' })),
        mayJoin: () => Promise.resolve(ok(true)),
      },
      pin,
      newNonce: () => toB64u(randomBytes(32)),
      now: () => performance.now(),
      wall: () => Date.now(),
      log: silentLog,
    });
    const shown = {
      cert: selfSignedPem(tls, 'gateway', ['127.0.0.1']),
      key: tls.private.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
    listening = value(await listenGateway(hub, { host: '127.0.0.1', port: 0, tls: shown }));
    gateway = `wss://127.0.0.1:${listening.port}#${pin}`;
    node = await NodeProcess.make({ init: ['--keys', 'file', '--gateway', gateway] });
    await node.start();
    await until(() => hub.view().nodes.length === 1);
  });
  after(async () => {
    await node.remove();
    await listening.close();
  });

  it('finds that the published test vectors hold, without a node', async () => {
    const held = await pythonClient('vectors', join(root, 'docs/protocol-vectors.json'));
    expect(held).to.include({ vectors: 'hold' });
  });

  const keyFile = async (): Promise<string> => {
    const key = join(node.folder, 'landlord.pem');
    await writeFile(key, node.landlord.private.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return key;
  };
  const ways = [
    { by: 'by its own address', way: () => ['--url', node.url] },
    { by: 'through a gateway', way: () => ['--gateway', gateway] },
  ] as const;

  for (const { by, way } of ways)
    it(`talks to a real node ${by}: status, a command and its repetition, events acknowledged and resumed, a question, the history and its verification`, async () => {
      const card = join(node.dir, 'card-0.json');
      const said = await pythonClient('talk', '--card', card, '--key', await keyFile(), ...way());
      expect(said['status']).to.include({ level: 0, status: 'active' });
      const [name, events, resumed] = [said['name'] as string, said['events'], said['resumed']];
      expect(JSON.stringify(events)).to.include(`"${name}"`);
      expect(JSON.stringify(resumed)).to.include(`"${name}-again"`).and.not.include(`"${name}"`);
    });

  for (const { by, way } of ways)
    it(`hears what a real node says unasked ${by}, and finds it signed by the identity of the card`, async () => {
      const card = join(node.dir, 'card-0.json');
      const heard = await pythonListener('--card', card, '--key', await keyFile(), ...way());
      const tenancy = await rent(node, { until_s: Math.floor(Date.now() / 1000) + 3600 });
      const said = (await heard.said) as { notice: { happened: { kind: string; fields: object }[] } };
      expect(said).to.include({ keyStore: 'file' });
      expect(said.notice.happened[0]).to.deep.include({ kind: 'lease.ending' });
      expect(said.notice.happened[0]?.fields).to.include({ lease: tenancy.lease });
      const session = await node.session();
      value(await session.request({ command: { type: 'lease.end', lease: tenancy.lease }, to: node.to }));
      session.close('done');
    });
});
