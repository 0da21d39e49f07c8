import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../../scripts/run/root.js';
import { NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

/** Debian's own Python, whose packages the client needs. */
async function client(...args: readonly string[]): Promise<Record<string, unknown>> {
  const script = join(root, 'test/protocol-client/client.py');
  const child = spawn('/usr/bin/python3', [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Record<string, unknown>;
}

describe('a client in another language, written from docs/protocol.md alone', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('finds that the published test vectors hold, without a node', async () => {
    const held = await client('vectors', join(root, 'docs/protocol-vectors.json'));
    expect(held).to.include({ vectors: 'hold' });
  });

  it('talks to a real node: status, a command and its repetition, events, the history and its verification', async () => {
    const key = join(node.folder, 'landlord.pem');
    await writeFile(key, node.landlord.private.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const card = join(node.dir, 'card-0.json');
    const said = await client('talk', '--card', card, '--key', key, '--url', node.url);
    expect(said['status']).to.include({ name: 'node-1', level: 0, status: 'active' });
    expect(said['head']).to.include({ seq: 1 });
    expect(JSON.stringify(said['events'])).to.include('named-by-python');
  });

  it('hears what a real node says unasked, and finds it signed by the identity of the card', async () => {
    const key = join(node.folder, 'landlord.pem');
    await writeFile(key, node.landlord.private.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const card = join(node.dir, 'card-0.json');
    const heard = client('listen', '--card', card, '--key', key, '--url', node.url);
    const tenancy = rent(node, { until_s: Math.floor(Date.now() / 1000) + 3600 });
    const said = (await heard) as { notice: { happened: { kind: string; fields: object }[] } };
    expect(said).to.include({ keyStore: 'file' });
    expect(said.notice.happened[0]).to.deep.include({ kind: 'lease.ending' });
    expect(said.notice.happened[0]?.fields).to.include({ lease: (await tenancy).lease });
  });
});
