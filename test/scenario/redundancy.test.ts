import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { TemporaryFolder } from '../fakes/folder.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { RealNode } from '../fakes/real-node.js';
import { until } from '../fakes/until.js';

interface Lease {
  readonly node: string;
  readonly state: string;
  readonly lease: string | null;
}

const index = fileURLToPath(new URL('../../console-cluster/cli/index.js', import.meta.url));

/** A store service in a process of its own, that can be killed. */
class RealStore {
  readonly folder = new TemporaryFolder('store');
  readonly tool = new RealConsole('console-cluster');
  address = '';
  #child: ChildProcess | undefined;

  get dir(): string {
    return join(this.folder.path, 'store');
  }

  async make(): Promise<void> {
    const port = String(await freePort());
    this.#cli('store', 'init', '--listen', '127.0.0.1', '--port', port, '--key-bits', '2048');
    this.address = this.#cli('store', 'address').trim();
  }

  #cli(...args: string[]): string {
    return this.tool.must('--dir', this.dir, ...args);
  }

  async run(): Promise<void> {
    let said = '';
    const child = spawn(process.execPath, [index, '--dir', this.dir, 'store', 'run'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => {
      if (child.exitCode !== null) throw new Error(said);
      return said.includes('store.serving');
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.tool.remove();
    this.folder.remove();
  }
}

describe('two consoles of a facility over one store service, as real processes', () => {
  const store = new RealStore();
  const first = new RealConsole('console-cluster');
  const second = new RealConsole('console-cluster');
  const customer = new RealConsole('console-app');
  const nodes: RealNode[] = [];

  before(async () => {
    await store.make();
    await store.run();
    const shared = ['--store', store.address, '--store-token-file', join(store.dir, 'token')];
    first.init(
      ...shared,
      '--instance',
      'a',
      '--gateway',
      '127.0.0.1',
      '--gateway-port',
      String(await freePort()),
    );
    customer.init();
    await first.run();
    const twin = join(store.folder.path, 'console.twin');
    first.must('twin', '--out', twin, '--passphrase-file', first.passphrase);
    const own = ['--gateway', '127.0.0.1', '--gateway-port', String(await freePort())];
    second.must(
      'init',
      '--like',
      twin,
      '--instance',
      'b',
      '--api-port',
      '0',
      '--passphrase-file',
      second.passphrase,
      ...own,
    );
    await second.runBeside('standing-by');
    for (const name of ['node-1', 'node-2']) {
      const node = await RealNode.make(name, join(first.dir, 'console.pub.json'));
      nodes.push(node);
      await node.run();
      first.must('nodes', 'add', node.cardFile);
    }
    first.must('customers', 'set', 'acme', join(customer.dir, 'console.pub.json'));
  });
  after(async () => {
    for (const console of [first, second, customer]) await console.remove();
    for (const node of nodes) await node.remove();
    await store.remove();
  });

  const leasesAt = (console: RealConsole): readonly Lease[] => {
    const { status, out } = console.cli('leases', 'list', '--json');
    return status === 0 ? (JSON.parse(out) as { leases: Lease[] }).leases : [];
  };
  const works = (console: RealConsole): boolean => {
    const { status, out } = console.cli('redundancy', '--json');
    return status === 0 && (JSON.parse(out) as { role: string }).role === 'works';
  };
  const levelsOf = (console: RealConsole, node: string): number | undefined => {
    const { status, out } = console.cli('nodes', 'status', node, '--json');
    return status === 0 ? (JSON.parse(out) as { levels: number }).levels : undefined;
  };

  it('are one console with one key, of which one works and the other says who that is', () => {
    const keyOf = (console: RealConsole): string =>
      readFileSync(join(console.dir, 'console.pub.json'), 'utf8');
    expect(keyOf(second)).to.equal(keyOf(first));
    expect(works(first)).to.equal(true);
    expect(works(second)).to.equal(false);
    const refused = second.cli('nodes', 'list');
    expect(refused.status).to.equal(1);
    expect(refused.err)
      .to.match(/^standing-by: /)
      .and.to.include('a works');
  });

  it('lose nothing and do nothing twice when the one that works is killed in the midst of leasing', async () => {
    await until(() => levelsOf(first, 'node-1') === 1);
    const granting = first.cliLater(
      'leases',
      'grant',
      'node-1',
      '--customer',
      'acme',
      '--for',
      '30d',
      '--json',
    );
    await until(() => /lease\.grant|lease-|"granting"/.test(first.log) || leasesAt(first).length > 0);
    await first.stop('SIGKILL');
    await granting;
    await until(() => works(second));
    await until(
      () => leasesAt(second).length === 0 || leasesAt(second).every(({ state }) => state !== 'granting'),
    );
    await until(() => levelsOf(second, 'node-1') !== undefined);
    const leases = leasesAt(second).filter(({ node }) => node === 'node-1');
    // What was written down is done, once; what was not written down did not happen.
    expect(leases.length).to.be.at.most(1);
    expect(levelsOf(second, 'node-1')).to.equal(1 + leases.length);
    if (leases.length === 0) second.must('leases', 'grant', 'node-1', '--customer', 'acme', '--for', '30d');
    expect(levelsOf(second, 'node-1')).to.equal(2);
  });

  it('hand over both gateways, so that a customer finds whichever works', async () => {
    const file = join(store.folder.path, 'acme.json');
    second.must('leases', 'hand-over', 'acme', '--out', file);
    const { gateways } = JSON.parse(readFileSync(file, 'utf8')) as { gateways: unknown[] };
    expect(gateways).to.have.length(2);
    await first.runBeside('standing-by');
    expect(works(first)).to.equal(false);
  });

  it('fence off one that was frozen and wakes up after the other took over', async () => {
    second.signal('SIGSTOP');
    await until(() => works(first));
    const exited = second.exited();
    second.signal('SIGCONT');
    expect(await exited).to.equal(75);
    expect(second.log).to.include('turn-lost');
    expect(works(first)).to.equal(true);
    await until(() => levelsOf(first, 'node-1') === 2);
    await second.runBeside('standing-by');
  });

  it('stop when the store service is gone, and go on where they were once it is back', async () => {
    const exits = Promise.all([first.exited(), second.exited()]);
    await store.kill();
    expect(await exits).to.deep.equal([75, 75]);
    await store.run();
    await second.run();
    await first.runBeside('standing-by');
    await until(() => levelsOf(second, 'node-1') === 2);
    expect(leasesAt(second).filter(({ node }) => node === 'node-1')).to.have.length(1);
  });

  it('hand over at once when the one that works is stopped on purpose', async () => {
    await second.stop('SIGTERM');
    await until(() => works(first));
    const [lease] = leasesAt(first);
    first.must('leases', 'end', 'node-1', '--destroy', lease?.lease ?? '');
    await until(() => levelsOf(first, 'node-1') === 1);
  });
});
