import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Standing {
  readonly stage: string;
  readonly key: string;
  readonly next?: string;
  readonly nodes: readonly { name: string; state: string; trouble?: { code: string } }[];
}

const standing = (console: RealConsole): Standing =>
  JSON.parse(console.must('key', 'rotate', '--status', '--json')) as Standing;
const isDone = (console: RealConsole) => (): boolean => {
  // While it begins anew under the next key it answers nobody.
  const said = console.cli('key', 'rotate', '--status', '--json');
  return said.status === 0 && (JSON.parse(said.out) as Standing).stage === 'none';
};
const isGood = (console: RealConsole, node: string) => (): boolean =>
  console.cli('nodes', 'status', node).status === 0;
const keysOn = (console: RealConsole, node: string): string[] =>
  (JSON.parse(console.must('roster', 'show', node, '--json')) as { consoles: { id: string }[] }).consoles.map(
    ({ id }) => id,
  );
const cardOf = (console: RealConsole): string => join(console.dir, 'console.pub.json');
const idIn = (console: RealConsole): string => console.must('key', 'show').split(' ')[0] ?? '';

describe('the own key of a console', function () {
  this.timeout(300_000);
  const landlord = new RealConsole('console-cluster');
  const acme = new RealConsole('console-app');
  const nodes: RealNode[] = [];

  before(async () => {
    for (const console of [landlord, acme]) {
      console.init();
      await console.run();
    }
    for (const name of ['node-1', 'node-2']) {
      const node = await RealNode.make(name, cardOf(landlord));
      nodes.push(node);
      await node.run();
      landlord.must('nodes', 'add', node.cardFile);
    }
    for (const name of ['node-1', 'node-2']) await until(isGood(landlord, name));
    landlord.must('customers', 'set', 'acme', cardOf(acme));
    landlord.must('leases', 'grant', 'node-1', '--customer', 'acme', '--until', '90d');
    const file = landlord.file('acme.json', '');
    landlord.must('leases', 'hand-over', 'acme', '--out', file);
    acme.must('lease', 'take', file);
    await until(isGood(acme, 'node-1'));
    acme.must('keys', 'share', 'node-1');
  });
  after(async () => {
    for (const console of [landlord, acme]) await console.remove();
    for (const node of nodes) await node.remove();
  });

  it('is replaced by one command: on the node, in the key file, in the vault, and on the card', async () => {
    const before = idIn(acme);
    const backup = join(acme.dir, '..', 'old.p12');
    const under = ['--passphrase-file', acme.passphrase, '--backup-passphrase-file', acme.passphrase];
    acme.must('key', 'backup', backup, ...under);
    expect(acme.must('key', 'rotate')).to.include(`the key ${before} is being replaced by`);
    await until(isDone(acme), 120_000);
    const now = idIn(acme);
    expect(now).to.not.equal(before);
    expect(standing(acme)).to.include({ stage: 'none', key: now });
    await until(isGood(acme, 'node-1'));
    expect(keysOn(acme, 'node-1')).to.deep.equal([now]);
    expect(acme.must('roster', 'show', 'node-1')).to.include(`enrolled before, and not any more: ${before}`);
    for (const left of ['key.next.json', 'key.old.json', 'console.next.pub.json'])
      expect(existsSync(join(acme.dir, left)), left).to.equal(false);
    // The share that lies in the vault still opens the lease after a start of the node.
    const [node] = nodes;
    await node?.stop('SIGKILL');
    await node?.run();
    await until(() => acme.cli('keys', 'unlock', 'node-1').status === 0, 120_000);
    // A backup from before is the backup of a key that nobody knows any more, and does not take the place of the one that works.
    const refused = acme.cli('key', 'restore', backup, '--backup-passphrase-file', acme.passphrase);
    expect(refused.err).to.match(/^already-there: [^]*opens nothing any more/);
  });

  it('is backed up and restored with the new one, and the console works from it', async () => {
    const backup = join(acme.dir, '..', 'new.p12');
    const under = ['--passphrase-file', acme.passphrase, '--backup-passphrase-file', acme.passphrase];
    acme.must('key', 'backup', backup, ...under);
    await acme.stop();
    writeFileSync(join(acme.dir, 'key.json.lost'), readFileSync(join(acme.dir, 'key.json')), { mode: 0o600 });
    const id = idIn(acme);
    rmSync(join(acme.dir, 'key.json'));
    const restore = ['--backup-passphrase-file', acme.passphrase, '--new-passphrase-file', acme.passphrase];
    expect(acme.must('key', 'restore', backup, ...restore)).to.include(`${id} is restored`);
    await acme.run();
    await until(isGood(acme, 'node-1'));
    expect(acme.must('keys', 'show', 'node-1')).to.include('kept by this console');
  });

  it('waits for a node that is away, goes on after the console was killed, and ends when the node is back', async () => {
    const before = idIn(landlord);
    await nodes[1]?.stop('SIGKILL');
    landlord.must('key', 'rotate');
    await until(
      () => standing(landlord).nodes.find(({ name }) => name === 'node-1')?.state === 'proven',
      60_000,
    );
    const { next, nodes: at } = standing(landlord);
    expect(at.find(({ name }) => name === 'node-2')).to.deep.include({ state: 'waiting' });
    expect(idIn(landlord)).to.equal(before);
    await landlord.stop('SIGKILL');
    await landlord.run();
    expect(standing(landlord)).to.include({ stage: 'enrolling', next });
    // Nobody may put the key under another passphrase, or another key in its place, meanwhile.
    const passphrase = [
      '--passphrase-file',
      landlord.passphrase,
      '--new-passphrase-file',
      landlord.passphrase,
    ];
    expect(landlord.cli('key', 'passphrase', ...passphrase).err).to.match(/^key-rotating/);
    await nodes[1]?.run();
    await until(isDone(landlord), 120_000);
    expect(idIn(landlord)).to.equal(next);
    for (const name of ['node-1', 'node-2']) {
      await until(isGood(landlord, name));
      expect(keysOn(landlord, name)).to.deep.equal([next]);
    }
  });

  it('goes on removing the one before when it was killed after its files had changed places', async () => {
    const before = idIn(landlord);
    await nodes[1]?.stop('SIGKILL');
    landlord.must('key', 'rotate');
    await until(
      () => standing(landlord).nodes.find(({ name }) => name === 'node-1')?.state === 'proven',
      60_000,
    );
    const { next } = standing(landlord);
    await landlord.stop('SIGKILL');
    // As a crash leaves it: the one before beside, the next one in the key file, and still beside too.
    const file = (name: string): string => join(landlord.dir, name);
    copyFileSync(file('key.json'), file('key.old.json'));
    await nodes[1]?.run();
    await landlord.run();
    await until(isDone(landlord), 120_000);
    expect(idIn(landlord)).to.equal(next);
    await until(isGood(landlord, 'node-2'));
    expect(keysOn(landlord, 'node-2')).to.deep.equal([next]).and.not.include(before);
  });

  it('stays as it was when that is called off, and leaves behind a node only by name', async () => {
    const before = idIn(landlord);
    landlord.must('key', 'rotate');
    const called = landlord.cli('key', 'rotate', '--cancel');
    if (called.status === 0) {
      await until(isGood(landlord, 'node-1'));
      expect(keysOn(landlord, 'node-1')).to.deep.equal([before]);
      expect(idIn(landlord)).to.equal(before);
    } else expect(called.err).to.match(/^(key-not-rotating|unreachable|no-daemon|not-found)/);
    await until(isDone(landlord), 120_000);
    await nodes[1]?.stop('SIGKILL');
    landlord.must('key', 'rotate');
    await until(() =>
      standing(landlord).nodes.some(({ name, state }) => name === 'node-1' && state === 'proven'),
    );
    expect(landlord.must('key', 'rotate', '--leave', 'node-2')).to.include('left behind');
    await until(isDone(landlord), 120_000);
    expect(landlord.cli('key', 'rotate', '--leave', 'node-2').err).to.match(/^key-not-rotating/);
  });
});
