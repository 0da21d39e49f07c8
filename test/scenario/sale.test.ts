import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { identityOf } from '../../protocol/node-card.js';
import { RealConsole } from '../fakes/console.js';
import { CutWire } from '../fakes/cut-wire.js';
import { RealNode } from '../fakes/real-node.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';

const bmonitor = fileURLToPath(new URL('../../bmonitor/cli/index.js', import.meta.url));

interface Row {
  readonly node: string;
  readonly state: string;
  readonly customer: string;
  readonly lease: string;
  readonly receipts: readonly string[];
}

/** As `--json` prints it, without holding up the wire that runs in this process. */
async function rowsOf(
  console: RealConsole,
  of: 'sales' | 'leases',
  ...words: string[]
): Promise<readonly Row[]> {
  const { out } = await console.cliLater(...words, '--json');
  return (JSON.parse(out) as Record<typeof of, readonly Row[]>)[of];
}
const isGood = (console: RealConsole, node: string) => async (): Promise<boolean> =>
  (await console.cliLater('nodes', 'status', node)).status === 0;
const named = (text: string): string[] =>
  [...text.matchAll(/--destroy (\S+)/g)].map(([, lease = '']) => lease);
const cardOf = (console: RealConsole): string => join(console.dir, 'console.pub.json');
const destroying = (leases: readonly string[]): string[] => leases.flatMap((lease) => ['--destroy', lease]);

describe('a node that is sold by one console-cluster to another', function () {
  this.timeout(300_000);
  const seller = new RealConsole('console-cluster');
  const buyer = new RealConsole('console-cluster');
  const acme = new RealConsole('console-app');
  const nodes: RealNode[] = [];
  const wires: CutWire[] = [];

  const made = async (name: string, landlord = seller): Promise<RealNode> => {
    const node = await RealNode.make(name, cardOf(landlord));
    nodes.push(node);
    await node.run();
    return node;
  };
  const added = async (name: string): Promise<RealNode> => {
    const node = await made(name);
    seller.must('nodes', 'add', node.cardFile);
    await until(isGood(seller, name), 120_000);
    return node;
  };
  /** Behind a wire that loses the node's answers from the moment on at which it was told to change hands. */
  const addedBehindWire = async (name: string): Promise<{ node: RealNode; wire: CutWire }> => {
    const node = await made(name);
    const { card } = node;
    const way = card.ways[0];
    const wire = new CutWire(Number(new URL(way?.url ?? '').port));
    wires.push(wire);
    const url = `wss://127.0.0.1:${await wire.listen()}`;
    const file = seller.file(`${name}.card.json`, JSON.stringify({ ...card, ways: [{ ...way, url }] }));
    expect((await seller.cliLater('nodes', 'add', file)).status).to.equal(0);
    await until(isGood(seller, name), 120_000);
    return { node, wire };
  };

  before(async () => {
    for (const console of [seller, buyer, acme]) {
      console.init();
      await console.run();
    }
    seller.must('customers', 'set', 'acme', cardOf(acme));
  });
  after(async () => {
    for (const wire of wires) await wire.close();
    for (const console of [seller, buyer, acme]) await console.remove();
    for (const node of nodes) await node.remove();
  });

  it('goes only by the name of what that destroys, with receipts that hold offline, and obeys its former landlord no more', async () => {
    const node = await added('node-1');
    const shown = seller.cli('nodes', 'sell', 'node-1', '--to', cardOf(buyer));
    expect(shown.status).to.equal(1);
    const leases = named(shown.out);
    expect(leases).to.deep.equal([node.card.lease]);
    const wrong = seller.cli(
      'nodes',
      'sell',
      'node-1',
      '--to',
      cardOf(buyer),
      '--json',
      '--destroy',
      'A'.repeat(22),
    );
    expect(wrong.err).to.include('destroys-not-named').and.include(node.card.lease);
    expect(await isGood(seller, 'node-1')()).to.equal(true);
    const file = seller.file('node-1.sale.json', '');
    expect(seller.cli('nodes', 'buy', file).status, 'an empty file').to.equal(2);
    const said = seller.must(
      'nodes',
      'sell',
      'node-1',
      '--to',
      cardOf(buyer),
      ...destroying(leases),
      '--out',
      file,
    );
    expect(said).to.include('node-1 is sold to test');
    const [sale] = await rowsOf(seller, 'sales', 'nodes', 'sold');
    const receipts = seller.file('node-1.receipts', `${sale?.receipts.join('\n')}\n`);
    const words = [bmonitor, 'receipt', 'verify', receipts, '--node', node.cardFile];
    expect(execFileSync(process.execPath, words, { encoding: 'utf8' }))
      .to.include(`the lease ${node.card.lease} of level 0 has ended`)
      .and.include(`destroyed data ${node.card.lease}`)
      .and.match(/is the first of a new holder of the node, the console \S{43}/);
    expect(seller.must('nodes', 'list')).to.not.include('node-1');
    expect(seller.must('nodes', 'retired')).to.include('sold to test');
    // The old card still reaches the node, and is told why it opens nothing.
    seller.must('nodes', 'add', node.cardFile);
    await until(async () => (await seller.cliLater('nodes', 'status', 'node-1')).err.includes('node-sold'));
    seller.must('nodes', 'remove', 'node-1');

    expect(acme.cli('nodes', 'buy', file).status, 'a tenant’s console buys nothing').to.not.equal(0);
    expect(seller.cli('nodes', 'buy', file).err).to.match(/^not-for-us/);
    expect(buyer.cli('nodes', 'buy', file, '--pin', 'A'.repeat(43)).err).to.match(/^wrong-identity/);
    const { id } = value(identityOf(node.card));
    const bought = buyer.must('nodes', 'buy', file, '--pin', id);
    expect(bought).to.include('bought from test').and.not.include('unverified');
    await until(isGood(buyer, 'node-1'), 120_000);
    expect(buyer.must('nodes', 'buy', file, '--pin', id), 'once more').to.equal(bought);
    const tampered = JSON.parse(readFileSync(file, 'utf8')) as { sold: { receipts: string[] } };
    tampered.sold.receipts = tampered.sold.receipts.map((jws) => jws.replace(/.{5}$/, 'AAAAA'));
    expect(buyer.cli('nodes', 'buy', buyer.file('bad.json', JSON.stringify(tampered))).status).to.equal(1);
  });

  it('is not lost when the node and both consoles are killed between the sale and its answer', async () => {
    const { node, wire } = await addedBehindWire('node-2');
    const { lease } = node.card;
    wire.lost = () => node.log.includes('"node.transfer"');
    const file = seller.file('node-2.sale.json', '');
    const words = ['nodes', 'sell', 'node-2', '--to', cardOf(buyer), '--destroy', lease, '--out', file];
    const selling = seller.cliLater(...words);
    await until(() => node.log.includes('"command.durable"') && wire.cuts > 0);
    await node.stop('SIGKILL');
    const told = await selling;
    expect(told.status).to.equal(1);
    expect(told.out).to.include('node-2 has not answered yet').and.include('tells the buyer the rest');
    expect(readFileSync(file, 'utf8')).to.not.include('"sold"');
    await seller.stop('SIGKILL');

    // The seller is gone, and its file knows nothing: the node itself tells the buyer under which key it listens now.
    wire.lost = () => false;
    await node.run();
    expect((await buyer.cliLater('nodes', 'buy', file)).out)
      .to.include('bought from test')
      .and.include('identity unverified');
    await until(isGood(buyer, 'node-2'), 120_000);
    await buyer.stop('SIGKILL');
    await buyer.run();
    await until(isGood(buyer, 'node-2'), 120_000);

    // And the seller, once it is back, by itself.
    await seller.run();
    await until(async () => {
      const sales = await rowsOf(seller, 'sales', 'nodes', 'sold');
      return sales.some(
        (sale) => sale.node === 'node-2' && sale.state === 'sold' && sale.receipts.length === 2,
      );
    }, 120_000);
    expect((await seller.cliLater('nodes', 'list')).out).to.not.include('node-2');
    expect((await seller.cliLater('nodes', 'sold', 'node-2')).out).to.include('"sold"');
  });

  it('is still the seller’s when the sale never reached it, and the file for the buyer says so', async () => {
    const { node, wire } = await addedBehindWire('node-3');
    wire.lost = () => true;
    const file = seller.file('node-3.sale.json', '');
    const { lease } = node.card;
    const words = ['nodes', 'sell', 'node-3', '--to', cardOf(buyer), '--destroy', lease, '--out', file];
    expect((await seller.cliLater(...words)).status).to.equal(1);
    const other = [...words.slice(0, 4), cardOf(acme), ...words.slice(5)];
    expect((await seller.cliLater(...other)).err, 'to somebody else meanwhile').to.match(/^change-pending/);
    await seller.stop('SIGKILL');
    wire.lost = () => false;
    expect((await buyer.cliLater('nodes', 'buy', file)).err).to.match(/^not-sold-yet/);
    await seller.run();
    await until(
      async () => (await rowsOf(seller, 'sales', 'nodes', 'sold')).every(({ state }) => state === 'sold'),
      120_000,
    );
    expect((await buyer.cliLater('nodes', 'buy', file)).out).to.include('bought from test');
  });

  it('takes along the lease of a tenant that agreed, who is told who the landlord is now', async () => {
    const node = await added('node-4');
    const lease = node.card.lease;
    seller.must('leases', 'grant', 'node-4', '--customer', 'acme', '--until', '90d');
    const handOver = seller.file('acme.json', '');
    seller.must('leases', 'hand-over', 'acme', '--out', handOver);
    acme.must('lease', 'take', handOver);
    await until(isGood(acme, 'node-4'), 120_000);
    const sell = ['nodes', 'sell', 'node-4', '--to', cardOf(buyer), '--keep-leases'];
    const refused = seller.cli(...sell, '--destroy', lease);
    expect(refused.err).to.match(/^needs-owner/);
    const { key } = JSON.parse(buyer.must('key', 'show', '--json')) as { key?: string };
    const holder = /[A-Za-z0-9_-]{43}/.exec(key ?? buyer.must('key', 'show'))?.[0] ?? '';
    acme.must('keys', 'consent', 'node-4', '--to', lease, '--transfer', holder);
    const shown = seller.cli(...sell);
    expect(shown.out).to.include('goes on under the new landlord');
    expect(named(shown.out)).to.deep.equal([lease]);
    const file = seller.file('node-4.sale.json', '');
    seller.must(...sell, '--destroy', lease, '--out', file);
    expect(buyer.must('nodes', 'buy', file)).to.match(/the lease \S+ of acme goes on/);
    await until(isGood(buyer, 'node-4'), 120_000);
    expect(await isGood(acme, 'node-4')()).to.equal(true);
    await until(async () =>
      (await acme.cliLater('nodes', 'events', 'node-4')).out.includes('node.transferred'),
    );
    expect(acme.must('nodes', 'events', 'node-4')).to.include(holder);
    expect(acme.must('sublet', 'show', 'node-4')).to.include(holder);
    const passed = (await rowsOf(seller, 'leases', 'leases', 'list')).find((one) => one.node === 'node-4');
    expect(passed?.state).to.equal('passed');
    const own = (await rowsOf(buyer, 'leases', 'leases', 'list')).find((one) => one.node === 'node-4');
    expect(own).to.include({ customer: 'acme', lease: passed?.lease });
    buyer.must('leases', 'extend', String(own?.lease), '--until', '120d');
    buyer.must('leases', 'end', 'node-4', '--destroy', String(own?.lease));
    await until(async () => !(await isGood(acme, 'node-4')()));
  });

  it('can be sold to its own tenant, whose lease ends with that', async () => {
    const node = await added('node-6');
    seller.must('customers', 'set', 'buyer', cardOf(buyer));
    seller.must(
      'leases',
      'grant',
      'node-6',
      '--customer',
      'buyer',
      '--until',
      '90d',
      '--rights',
      'engines,keys',
    );
    const handOver = seller.file('buyer.json', '');
    seller.must('leases', 'hand-over', 'buyer', '--out', handOver);
    buyer.must('leases', 'take', handOver);
    await until(isGood(buyer, 'node-6'), 120_000);
    const shown = seller.cli('nodes', 'sell', 'node-6', '--to', cardOf(buyer)).out;
    expect(named(shown)).to.have.length(2).and.include(node.card.lease);
    expect(shown).to.match(/who speaks with\n {2}test {2}\S{43}\n/);
    const file = seller.file('node-6.sale.json', '');
    seller.must('nodes', 'sell', 'node-6', '--to', cardOf(buyer), ...destroying(named(shown)), '--out', file);
    buyer.must('nodes', 'buy', file);
    await until(isGood(buyer, 'node-6'), 120_000);
    expect(buyer.must('leases', 'taken')).to.match(/node-6 .* ended /);
    const over = (await rowsOf(seller, 'leases', 'leases', 'list')).find((one) => one.node === 'node-6');
    expect(over?.state).to.equal('ended');
  });

  it('is forgotten by who retired it also when that answer was lost', async () => {
    const { node, wire } = await addedBehindWire('node-5');
    wire.lost = () => node.log.includes('"node.transfer"');
    const lost = await seller.cliLater('nodes', 'retire', 'node-5', '--confirm', 'node-5');
    expect(lost.status).to.equal(1);
    wire.lost = () => false;
    const again = await seller.cliLater('nodes', 'retire', 'node-5', '--confirm', 'node-5');
    expect(again.out).to.include('node-5 is retired; 2 receipts');
    expect((await seller.cliLater('nodes', 'list')).out).to.not.include('node-5');
  });
});
