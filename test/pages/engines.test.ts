import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { chromium, type Browser, type Page } from 'playwright-core';
import { freePort, RealConsole } from '../fakes/console.js';
import { FakeNode } from '../fakes/node.js';
import { until } from '../fakes/until.js';
import { browserOptions } from './browser.js';

/** Where pictures go when somebody wants to look at them. */
const pictures = process.env['BMONITOR_PICTURES'];

const engine = (name: string, said: object): object => ({ name, revision: 1, restarts: 0, ...said });

describe('the engines on the page of the tenant, in a browser', function () {
  this.timeout(60_000);
  const tenant = new RealConsole('console-app');
  const nodes: FakeNode[] = [];
  let browser: Browser;
  let page: Page;

  before(async () => {
    const key = tenant.init('--api-port', String(await freePort()));
    await tenant.run();
    for (const name of ['alder-1', 'alder-2']) {
      const node = await FakeNode.make();
      node.consoles.set(key.id, key);
      node.results.set('engines.read', { engines: [] });
      tenant.must('nodes', 'add', tenant.file(name, JSON.stringify(node.card(name, await node.listen()))));
      nodes.push(node);
    }
    browser = await chromium.launch(browserOptions);
    page = await browser.newPage({ viewport: { width: 1100, height: 700 }, colorScheme: 'light' });
    await page.goto(tenant.must('open').trim());
    await page.getByText('of 2 nodes good').waitFor();
  });
  after(async () => {
    await browser?.close();
    await tenant.remove();
    for (const node of nodes) await node.stop();
  });

  const section = () => page.getByRole('region', { name: 'engines' });
  /** As when somebody comes back to the page: it looks at once. */
  const look = (): Promise<unknown> => page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
  /** State and name of each engine, from top to bottom. */
  const lines = async (): Promise<string[]> =>
    (await section().locator('tbody tr').allInnerTexts()).map((text) =>
      text.split('\t').slice(0, 3).join(' ').replace(/\s+/gu, ' ').trim(),
    );
  const shows = async (...expected: readonly string[]): Promise<void> => {
    let seen: string[] = [];
    await until(async () => {
      await look();
      seen = await lines();
      return JSON.stringify(seen) === JSON.stringify(expected);
    }).catch((error: unknown) => {
      throw new Error(JSON.stringify(seen, undefined, 1), { cause: error });
    });
  };

  it('are not there while there are none', async () => {
    await look();
    expect(await section().isVisible()).to.equal(false);
  });

  it('are told apart at a glance, what needs somebody first, in words and not by colour alone', async () => {
    nodes[0]?.results.set('engines.read', {
      engines: [
        engine('web', { state: 'running', health: 'good', since_ms: 1 }),
        engine('cache', { state: 'running' }),
        engine('queue', { state: 'running', health: 'bad', lastEnd: { how: 'hung' }, restarts: 3 }),
        engine('mail', { state: 'running', health: 'unknown' }),
        engine('night', { state: 'stopped' }),
        // As a node says of one whose description waits for a share.
        { revision: 1, restarts: 0, state: 'locked' },
      ],
    });
    nodes[1]?.results.set('engines.read', {
      engines: [engine('web', { state: 'waiting', lastFailure: { code: 'secret-missing' } })],
    });
    await shows(
      '✕bad queue alder-1',
      '✕bad web alder-2',
      '?unknown (locked) alder-1',
      '?unknown mail alder-1',
      '○running cache alder-1',
      '●well web alder-1',
      '■stopped night alder-1',
    );
    await section().getByText('secret-missing').waitFor();
    await section().getByText('2 bad, 2 unknown, 1 running, 1 well, 1 stopped').waitFor();
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, 'engines.png') });
  });

  it('are unknown, and not as they were last, when their node is silent', async () => {
    await nodes[1]?.stop();
    await shows(
      '✕bad queue alder-1',
      '?unknown (locked) alder-1',
      '?unknown mail alder-1',
      '?unknown web alder-2',
      '○running cache alder-1',
      '●well web alder-1',
      '■stopped night alder-1',
    );
  });

  it('show what a node calls them as text, whatever that is', async () => {
    nodes[0]?.results.set('engines.read', {
      engines: [engine('<img src=x onerror=alert(1)>', { state: '<b>well</b>' })],
    });
    await shows('?unknown <img src=x onerror=alert(1)> alder-1', '?unknown web alder-2');
    expect(await page.locator('img, td b').count()).to.equal(0);
  });

  it('are all unknown when the console itself is away', async () => {
    await tenant.stop('SIGKILL');
    await shows('?unknown <img src=x onerror=alert(1)> alder-1', '?unknown web alder-2');
    await section().getByText('no connection to the console').first().waitFor();
  });
});
