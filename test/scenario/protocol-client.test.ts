import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/run/root.js';
import { OpenGateway } from '../fakes/open-gateway.js';
import { pythonClient, pythonListener } from '../protocol-client/run.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

describe('a client in another language, written from docs/protocol.md alone', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  let gateway: OpenGateway;
  before(async () => {
    gateway = await OpenGateway.listen();
    node = await NodeProcess.make({ init: ['--keys', 'file', '--gateway', gateway.address] });
    await node.start();
    await until(() => gateway.nodes === 1);
  });
  after(async () => {
    await node.remove();
    await gateway.close();
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
    { by: 'through a gateway', way: () => ['--gateway', gateway.address] },
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
