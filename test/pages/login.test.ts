import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { chromium, type Browser, type Page } from 'playwright-core';
import { Authenticator } from '../fakes/authenticator.js';
import { freePort, RealConsole } from '../fakes/console.js';
import { browserOptions } from './browser.js';

/** Where pictures go when somebody wants to look at them. */
const pictures = process.env['BMONITOR_PICTURES'];

describe('logging in, in a browser', function () {
  this.timeout(120_000);
  const landlord = new RealConsole('console-cluster');
  let browser: Browser;
  let page: Page;
  let port = 0;
  let recovery = '';
  const password = 'a long way home';

  before(async () => {
    port = await freePort();
    landlord.init('--api-port', String(port));
    await landlord.run();
    browser = await chromium.launch(browserOptions);
    page = await browser.newPage({ viewport: { width: 1000, height: 760 }, colorScheme: 'light' });
  });
  after(async () => {
    await browser?.close();
    await landlord.remove();
  });

  const picture = async (name: string): Promise<void> => {
    if (pictures === undefined) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: join(pictures, `${name}.png`) });
  };
  /** Passkeys belong to a name, so the page is opened by one. */
  const home = (): string => `http://localhost:${port}/`;
  const invite = (name: string): string => {
    const { code } = JSON.parse(landlord.must('accounts', 'invite', name, '--role', 'operate', '--json')) as {
      code: string;
    };
    return `${home()}#invitation=${code}`;
  };
  const totp = async (): Promise<string> =>
    new Authenticator(await page.locator('#totp-secret').innerText()).code();
  const logOut = async (): Promise<void> => {
    await page.getByRole('button', { name: 'log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  };

  it('takes an invitation with the keyboard alone: a password, the code of an authenticator, recovery codes', async () => {
    await page.goto(invite('mara'));
    await page.getByText('You are mara and may operate.').waitFor();
    await page.keyboard.type(password);
    await page.keyboard.press('Tab');
    await page.keyboard.type(password);
    await page.getByLabel('Code that it shows').focus();
    await page.keyboard.type(await totp());
    await picture('invitation');
    await page.keyboard.press('Enter');
    await page.getByText('Keep these').waitFor();
    recovery = (await page.locator('#recovery').innerText()).split('\n')[0] ?? '';
    await picture('recovery');
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('mara, may operate').waitFor();
    await logOut();
  });

  it('says what is wrong and stays where it is', async () => {
    await page.getByLabel('Name').fill('mara');
    await page.getByLabel('Password').fill('not this one at all');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('name or password is wrong').waitFor();
    await picture('wrong-password');
  });

  it('logs in with a password and a recovery code', async () => {
    await page.getByLabel('Name').fill('mara');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByLabel('Code of the authenticator').waitFor();
    await picture('second-factor');
    await page.getByRole('button', { name: 'use a recovery code' }).click();
    await page.getByLabel('Recovery code').fill(recovery);
    await page.keyboard.press('Enter');
    await page.getByText('mara, may operate').waitFor();
    await logOut();
  });

  it('makes a passkey with an invitation and logs in with it', async () => {
    const session = await page.context().newCDPSession(page);
    await session.send('WebAuthn.enable');
    await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await page.goto('about:blank');
    await page.goto(invite('jon'));
    await page.getByText('You are jon and may operate.').waitFor();
    await page.getByLabel('Password').fill(password);
    await page.getByLabel('Once more').fill(password);
    await page.getByRole('button', { name: 'use a passkey instead' }).click();
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('jon, may operate').waitFor();
    await logOut();
    await page.getByLabel('Name').fill('jon');
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'use a passkey' }).click();
    await page.getByText('jon, may operate').waitFor();
  });

  it('does not open an invitation twice', async () => {
    await page.getByRole('button', { name: 'log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    const link = invite('ana');
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByText('You are ana').waitFor();
    await page.getByLabel('Password').fill(password);
    await page.getByLabel('Once more').fill(password);
    await page.getByLabel('Code that it shows').fill(await totp());
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('ana, may operate').waitFor();
    await logOut();
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByRole('alert').getByText('the invitation was used before').waitFor();
    await picture('used-invitation');
    expect(await page.locator('form').count()).to.equal(0);
  });
});
