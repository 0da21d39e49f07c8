import { expect } from 'chai';
import { chromium, type Browser, type Page } from 'playwright-core';
import { Leased, isGood } from '../fakes/leased.js';
import { until } from '../fakes/until.js';
import { browserOptions } from './browser.js';

describe('what a customer missed, on the page of its console', function () {
  this.timeout(120_000);
  const leased = new Leased('node-1', 'node-2');
  const { app, nodes, names } = leased;
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];

  before(async () => {
    await leased.begin();
    browser = await chromium.launch(browserOptions);
    page = await browser.newPage();
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    page.on('pageerror', (error) => faults.push(error.message));
  });
  after(async () => {
    await browser?.close();
    await leased.remove();
  });

  const notice = () => page.locator('section.notice');
  const open = async (): Promise<void> => {
    await page.goto(app.must('open').trim());
    await page.getByText(/\d of 2 nodes good/).waitFor();
  };

  it('is a line of its own: since when it was off, and from how many nodes all of that was fetched', async () => {
    await app.stop();
    await app.run();
    for (const name of names) await until(() => isGood(app, name));
    app.must('history');
    await open();
    await page
      .getByText(
        /^This console was off from .+ to .+\. What happened meanwhile was fetched from 2 of 2 nodes: console-app history shows it\.$/,
      )
      .waitFor();
    expect(await notice().getAttribute('role')).to.equal('status');
    expect(await notice().locator('p').count()).to.equal(1);
  });

  it('names the node of which nothing is known, since when and why, and counts it no more', async () => {
    await app.stop();
    await nodes[1]?.stop();
    await app.run();
    await until(() => isGood(app, 'node-1'));
    app.cli('history');
    await open();
    await page.getByText(/fetched from 1 of 2 nodes/).waitFor();
    await page.getByText(/^node-2: unknown since .+ \(unreachable\)\.$/).waitFor();
    expect(await notice().locator('p').count()).to.equal(2);
    // That the console was away for a moment is no fault of its page.
    expect(faults.filter((fault) => !fault.startsWith('Failed to load resource'))).to.deep.equal([]);
  });
});
