import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { chromium, type Browser, type Page } from 'playwright-core';
import { FakeNode } from '../fakes/node.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { until } from '../fakes/until.js';
import { browserOptions } from './browser.js';

/** Where pictures go when somebody wants to look at them. */
const pictures = process.env['BMONITOR_PICTURES'];

describe('the page of nodes, in a browser', () => {
  const landlord = new RealConsole('console-cluster');
  const nodes: FakeNode[] = [];
  let browser: Browser;
  let page: Page;
  const refusals: string[] = [];

  before(async () => {
    const key = landlord.init('--api-port', String(await freePort()));
    await landlord.run();
    for (let i = 1; i <= 4; i++) {
      const node = await FakeNode.make();
      node.consoles.set(key.id, key);
      node.status = {
        name: `node-${i}`,
        uptime_s: 3600 * i,
        filters: { version: i, verified: null },
        engines: [],
      };
      const url = await node.listen();
      const card = landlord.file(`node-${i}.json`, JSON.stringify(node.card(`node-${i}`, url)));
      landlord.must('nodes', 'add', card);
      nodes.push(node);
    }
    browser = await chromium.launch(browserOptions);
    page = await browser.newPage({ viewport: { width: 1200, height: 640 }, colorScheme: 'light' });
    page.on('console', (message) => message.type() === 'error' && refusals.push(message.text()));
    page.on('pageerror', (error) => refusals.push(error.message));
  });
  after(async () => {
    await browser?.close();
    await landlord.remove();
    for (const node of nodes) await node.stop();
  });

  const picture = async (name: string): Promise<void> => {
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`) });
  };
  const stateOf = async (name: string): Promise<string> =>
    (await page.locator('tr', { has: page.getByRole('rowheader', { name }) }).getAttribute('data-state')) ??
    '';

  it('shows nothing to who has no session, and says how to get one', async () => {
    const url = landlord.must('open').trim().split('#')[0] ?? '';
    await page.goto(url);
    await page.getByRole('button', { name: 'no account?' }).click();
    await page.getByText('console-cluster open').waitFor();
    expect(await page.locator('table').count()).to.equal(0);
    await picture('login');
    // The browser itself reports the 401 that told the page so.
    refusals.length = 0;
  });

  it('opens with a login link and shows every node live', async () => {
    await page.goto(landlord.must('open').trim());
    for (let i = 1; i <= 4; i++) await until(async () => (await stateOf(`node-${i}`)) === 'good');
    expect(page.url()).not.to.include('login');
    await page.getByText('4 of 4 nodes good').waitFor();
    await picture('all-good');
  });

  it('shows silence as silence and then as unknown, never as health, in words and not by colour alone', async () => {
    await nodes[1]?.stop();
    await until(async () => (await stateOf('node-2')) === 'silent');
    await until(async () => ['unknown', 'connecting'].includes(await stateOf('node-2')));
    const row = page.locator('tr', { has: page.getByRole('rowheader', { name: 'node-2' }) });
    const words = (await row.locator('.state').innerText()).trim();
    expect(words).to.match(/^[?◌]\s*(unknown|connecting)$/);
  });

  it('shows a node that does not accept this console as refused, with the reason', async () => {
    nodes[2]?.forgetConsoles();
    await until(async () => (await stateOf('node-3')) === 'refused');
    await page.getByRole('cell', { name: 'unknown-console' }).waitFor();
    await picture('trouble');
  });

  it('is used with the keyboard alone: search, move, open, close', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('node-4');
    expect(await page.locator('tbody tr:visible').count()).to.equal(1);
    await page.keyboard.press('Escape');
    expect(await page.locator('tbody tr:visible').count()).to.equal(4);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    const details = page.getByRole('complementary');
    await details.getByText('filters.version').waitFor();
    expect(await details.innerText())
      .to.include('a file (for trying out only)')
      .and.include('unknown');
    await picture('details-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('details-dark');
    await page.keyboard.press('Escape');
    expect(await details.isVisible()).to.equal(false);
  });

  it('shows what a node says as text, whatever it says', async () => {
    const first = nodes[0];
    if (first) first.status = { note: '<img src=x onerror=alert(1)><b>bold</b>' };
    await page.getByRole('rowheader', { name: 'node-1' }).click();
    await page.getByText('<img src=x onerror=alert(1)><b>bold</b>').waitFor();
    expect(await page.locator('img, dd b').count()).to.equal(0);
    await page.keyboard.press('Escape');
  });

  it('shows what is bad of a machine in the list, and in its details what is unknown too', async () => {
    const fourth = nodes[3];
    if (!fourth) throw new Error('there is no fourth node');
    const row = page.locator('tr', { has: page.getByRole('rowheader', { name: 'node-4' }) });
    fourth.status = {
      ...fourth.status,
      health: { at: 1, processors: 'good', disks: 'bad', memory: 'unknown', network: 'good' },
    };
    await row.getByText('disks bad').waitFor();
    expect(await stateOf('node-4')).to.equal('good');
    await page.getByRole('rowheader', { name: 'node-4' }).click();
    const details = page.getByRole('complementary');
    await details.getByText('disks bad, memory unknown').waitFor();
    await picture('health');
    await page.getByRole('rowheader', { name: 'node-1' }).click();
    await details.getByText('unknown: the node does not say').waitFor();
    await page.keyboard.press('Escape');
    fourth.status = { ...fourth.status, health: { at: 2, disks: 'good' } };
    await row.getByText('disks bad').waitFor({ state: 'detached' });
  });

  it('loaded nothing from elsewhere and broke no content security policy', () => {
    expect(refusals).to.deep.equal([]);
  });

  it('says so and knows nothing any more when the console itself is away, and asks for a login when it is back', async () => {
    await landlord.stop('SIGKILL');
    await page.getByRole('alert').filter({ hasText: 'No connection to the console' }).waitFor();
    await until(async () => (await stateOf('node-1')) === 'unknown');
    await picture('console-away');
    await landlord.run();
    await page.getByRole('button', { name: 'no account?' }).click();
    await page.getByText('console-cluster open').waitFor();
  });
});
