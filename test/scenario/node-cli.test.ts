import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { newId } from '../../protocol/request.js';
import { root } from '../../scripts/run/root.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

const cli = join(root, 'dist/bmonitor/cli/index.js');

async function bmonitor(
  ...args: readonly string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

describe('bmonitor on the machine itself', function () {
  this.timeout(60_000);
  let node: NodeProcess;
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
  });
  after(() => node.remove());

  it('says how the node is, for a person and for a program, and nothing that belongs to a level', async () => {
    const json = await bmonitor('status', '--dir', node.dir, '--json');
    expect(json.code, json.err).to.equal(0);
    const status = JSON.parse(json.out) as Record<string, unknown>;
    expect(status).to.deep.include({ name: 'node-1', keyStore: 'file', levels: ['active'], undone: [] });
    expect(status['filters']).to.include({ enforced: 'no' });
    expect(status['warnings']).to.have.length(1);
    expect(json.out).to.not.include(node.card.lease).and.to.not.include(node.landlord.public.id);
    const person = await bmonitor('status', '--dir', node.dir);
    expect(person.out).to.include('NOT enforced').and.to.include('warning');
  });

  it('answers through a socket that only its owner opens, and that takes no command', async () => {
    const path = join(node.dir, 'status.sock');
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    const socket = createConnection(path);
    socket.on('error', () => {});
    socket.write(`${'x'.repeat(100_000)}\n`);
    socket.resume();
    await once(socket, 'close');
    expect((await bmonitor('status', '--dir', node.dir)).code).to.equal(0);
  });

  it('says that the node does not run, also when a killed one left its socket behind', async () => {
    await node.kill();
    const dead = await bmonitor('status', '--dir', node.dir, '--json');
    expect(dead.code).to.equal(1);
    expect(JSON.parse(dead.out)).to.have.nested.property('error.code', 'not-running');
    await node.start();
    expect((await bmonitor('status', '--dir', node.dir)).code).to.equal(0);
  });

  it('checks an exported history offline, and finds what was done to it', async () => {
    const session = await node.session();
    for (const name of ['one', 'two', 'three'])
      value(await session.request({ command: { type: 'node.rename', name }, to: node.to }));
    const read = async (): Promise<{ lines: string[]; checkpoint: string }> => {
      const command = { type: 'history.read' as const, from: 1, count: 1000 };
      return value(await session.request({ command, to: node.to })).result as never;
    };
    const page = await read();
    const file = join(node.folder, 'early.history');
    await writeFile(file, [...page.lines, page.checkpoint, ''].join('\n'));
    const card = ['--node', join(node.dir, 'card-0.json')];
    const desk = ['--console', join(node.folder, 'landlord.json')];
    const good = await bmonitor('history', 'verify', file, ...card, ...desk, '--json');
    expect(good.code, good.err).to.equal(0);
    expect(JSON.parse(good.out)).to.have.nested.property('history.statements.good', page.lines.length);

    value(await session.request({ command: { type: 'node.rename', name: 'four' }, to: node.to }));
    const later = join(node.folder, 'late.history');
    await writeFile(later, JSON.stringify(await read()));
    expect((await bmonitor('history', 'verify', later, ...card, '--earlier', file)).code).to.equal(0);
    const shorter = await bmonitor('history', 'verify', file, ...card, '--earlier', later);
    expect(shorter.code).to.equal(1);
    expect(shorter.err).to.include('history-incomplete');
    await writeFile(later, [...page.lines.slice(0, 2).toReversed(), page.checkpoint].join('\n'));
    const broken = await bmonitor('history', 'verify', later, ...card);
    expect(broken.code).to.equal(1);
    expect(broken.err).to.include('history-broken');
    expect((await bmonitor('history', 'verify', '/nowhere', ...card)).code).to.equal(2);
    session.close('done');
  });

  it('does not make a node over another, and tells one that was only half made from one that is there', async () => {
    const other = await NodeProcess.make();
    const args = ['init', '--dir', other.dir, '--landlord', join(other.folder, 'landlord.json')];
    const again = [...args, '--name', 'again', '--keys', 'file', '--key-bits', '2048', '--json'];
    const complete = await bmonitor(...again);
    // What is written last: without it an earlier init was interrupted.
    await rm(join(other.dir, 'node.json'));
    const half = await bmonitor(...again);
    await other.remove();
    expect([complete.code, half.code]).to.deep.equal([1, 1]);
    expect(complete.out + complete.err).to.include('already-initialised');
    expect(half.out + half.err).to.include('init-unfinished');
  });

  it('tells the life of a command in the log by its id', async () => {
    const jti = newId();
    const session = await node.session();
    value(await session.request({ command: { type: 'node.rename', name: 'logged' }, to: node.to, jti }));
    await until(() => node.log.some((line) => line['event'] === 'command.done' && line['id'] === jti));
    const life = node.log.filter((line) => line['id'] === jti);
    expect(life.map((line) => line['event'])).to.deep.equal([
      'command.taken',
      'command.durable',
      'command.done',
    ]);
    expect(life[0]).to.include({ command: 'node.rename', of: 0, console: node.landlord.public.id });
    session.close('done');
  });

  it('tells bad input from a refusal by its exit code, and says both to a program', async () => {
    const nowhere = join(node.folder, 'nowhere');
    const card = join(node.dir, 'card-0.json');
    const bad = [
      ['init', '--dir', nowhere],
      ['init', '--dir', nowhere, '--landlord', card, '--name', 'x', '--keys', 'file', '--json'],
      ['run'],
      ['run', '--dir', node.dir, '--log', 'loudly'],
      ['status', '--unknown'],
      ['history', 'verify', '/nowhere', '--node', card, '--json'],
      ['nothing-known'],
    ];
    for (const args of bad) {
      const { code, out, err } = await bmonitor(...args);
      expect(code, args.join(' ')).to.equal(2);
      expect(err, args.join(' ')).to.not.equal('');
      if (args.includes('--json')) expect(JSON.parse(out)).to.have.nested.property('error.code', 'bad-input');
    }
    const refused = [
      ['run', '--dir', nowhere],
      ['status', '--dir', nowhere, '--json'],
    ];
    for (const args of refused) expect((await bmonitor(...args)).code, args.join(' ')).to.equal(1);
  });

  it('shows help with examples for each command', async () => {
    for (const args of [['init'], ['run'], ['status'], ['leases'], ['keys'], ['history', 'verify']]) {
      const help = await bmonitor(...args, '--help');
      expect(help.code).to.equal(0);
      expect(help.out).to.include('Examples:').and.to.include('Exit codes:');
    }
  });

  it('shows levels, leases and the names of keys to who stands at the machine, and no key', async () => {
    const tenancy = await rent(node);
    const leases = await bmonitor('leases', '--dir', node.dir, '--json');
    expect(leases.code, leases.err).to.equal(0);
    const told = (JSON.parse(leases.out) as { leases: Record<string, unknown>[] }).leases;
    expect(told.map(({ status }) => status)).to.deep.equal(['active', 'active']);
    expect(told[0]).not.to.have.property('term');
    expect(told[1]).to.include({ level: 1, lease: tenancy.lease, consoles: 1 });
    const term = told[1]?.['term'] as { until: number; destroyedAt: number };
    expect(term.destroyedAt).to.be.above(term.until);
    expect((await bmonitor('leases', '--dir', node.dir)).out).to.include(tenancy.lease);

    const keys = await bmonitor('keys', '--dir', node.dir, '--json');
    const names = (JSON.parse(keys.out) as { keys: Record<string, unknown>[] }).keys;
    const symmetric = { id: tenancy.taken['symmetric'], shared: false, open: true };
    expect(names[1]).to.deep.include({ lease: tenancy.lease, symmetric, open: true });
    const person = await bmonitor('keys', '--dir', node.dir);
    expect(person.out).to.include(`${String(symmetric.id)}, open`);
    const session = await node.session();
    value(await session.request({ command: { type: 'lease.end', lease: tenancy.lease }, to: node.to }));
    session.close('done');
    expect((await bmonitor('leases', '--dir', node.dir)).out).not.to.include(tenancy.lease);
  });
});
