import { byId, make } from '../../console/page/dom.js';
import { askForLink } from '../../console/page/session.js';
import { makePasskey, usePasskey, passkeysWork } from './passkeys.js';

interface Ticket {
  readonly ticket: string;
  readonly challenge: string;
}

interface FirstStep extends Ticket {
  readonly totp: boolean;
  readonly passkeys: readonly string[];
}

interface Invitation extends Ticket {
  readonly name: string;
  readonly role: string;
  readonly totpSecret: string;
  readonly totpUri: string;
}

/** Sends a form and gives the answer, or throws what the console says against it. */
async function send<T>(path: string, body: unknown): Promise<T> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const value = (await answer.json()) as T & { error?: { what: string; todo: string; detail?: string } };
  if (value.error) throw new Error(`${value.error.what} ${value.error.detail ?? ''} ${value.error.todo}`);
  return value;
}

function field(label: string, attributes: Readonly<Record<string, string>>): [HTMLElement, HTMLInputElement] {
  const input = make('input', { required: '', ...attributes });
  return [make('label', {}, label, input), input];
}

/** A form that says what went wrong where it happened, and never leaves a person without an answer. */
function form(
  title: string,
  parts: readonly (Node | string)[],
  button: string,
  submit: () => Promise<void>,
): void {
  const trouble = make('p', { class: 'trouble', role: 'alert' });
  const action = make('button', { type: 'submit' }, button);
  const element = make('form', { class: 'entry' }, make('h2', {}, title), ...parts, action, trouble);
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    trouble.textContent = '';
    action.disabled = true;
    submit()
      .catch((error: unknown) => {
        trouble.textContent = error instanceof Error ? error.message : String(error);
      })
      .finally(() => {
        action.disabled = false;
      });
  });
  byId('main').replaceChildren(element);
  element.querySelector<HTMLInputElement>('input')?.focus();
}

function enter(): void {
  location.replace('/');
}

function askSecond(first: FirstStep): void {
  const [codeLabel, code] = field('Code of the authenticator', {
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    pattern: '[0-9]{6}',
    maxlength: '6',
  });
  const other = make('div', { class: 'others' });
  if (first.passkeys.length > 0 && passkeysWork()) {
    const button = make('button', { type: 'button', class: 'quiet' }, 'use a passkey');
    button.addEventListener('click', () => {
      void usePasskey(first.challenge, first.passkeys)
        .then(async (passkey) => send('/api/v1/login/second', { ticket: first.ticket, passkey }))
        .then(enter)
        .catch((error: unknown) => {
          document.querySelector('.trouble')?.replaceChildren(String(error));
        });
    });
    other.append(button);
  }
  const lost = make('button', { type: 'button', class: 'quiet' }, 'use a recovery code');
  lost.addEventListener('click', () => askRecovery(first));
  other.append(lost);
  form('Second factor', [codeLabel, other], 'Log in', async () => {
    await send('/api/v1/login/second', { ticket: first.ticket, totp: code.value });
    enter();
  });
  if (!first.totp) {
    code.removeAttribute('required');
    codeLabel.hidden = true;
    other.querySelector('button')?.focus();
  }
}

function askRecovery(first: FirstStep): void {
  const [label, code] = field('Recovery code', { autocomplete: 'off', maxlength: '40' });
  form('Recovery code', [label], 'Log in', async () => {
    await send('/api/v1/login/second', { ticket: first.ticket, recovery: code.value });
    enter();
  });
}

function askPassword(): void {
  const [nameLabel, name] = field('Name', { autocomplete: 'username', maxlength: '63' });
  const [passwordLabel, password] = field('Password', { type: 'password', autocomplete: 'current-password' });
  const hint = make('p', { class: 'hint' });
  const link = make('button', { type: 'button', class: 'quiet' }, 'no account?');
  link.addEventListener('click', () => askForLink('console-cluster'));
  hint.append(link);
  form('Log in', [nameLabel, passwordLabel, hint], 'Go on', async () => {
    askSecond(await send<FirstStep>('/api/v1/login', { name: name.value, password: password.value }));
  });
}

function showRecovery(codes: readonly string[]): void {
  const spaced = codes.map((code) => (code.match(/.{4}/g) ?? []).join('-')).join('\n');
  form(
    'Keep these',
    [
      make(
        'p',
        {},
        'Each of these codes serves once, when the second factor is lost. They are not shown again.',
      ),
      make('pre', { id: 'recovery' }, spaced),
    ],
    'I have kept them',
    () => Promise.resolve(enter()),
  );
}

async function acceptInvitation(code: string): Promise<void> {
  const asked = await send<Invitation>('/api/v1/invitation', { code });
  const [passwordLabel, password] = field('Password', {
    type: 'password',
    autocomplete: 'new-password',
    minlength: '12',
  });
  const [againLabel, again] = field('Once more', { type: 'password', autocomplete: 'new-password' });
  const [codeLabel, totp] = field('Code that it shows', {
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    pattern: '[0-9]{6}',
    maxlength: '6',
  });
  const secret = (asked.totpSecret.match(/.{1,4}/g) ?? []).join(' ');
  const accept = async (second: object): Promise<void> => {
    if (password.value !== again.value) throw new Error('The two passwords differ.');
    const body = { ticket: asked.ticket, password: password.value, ...second };
    const { recovery } = await send<{ recovery: readonly string[] }>('/api/v1/invitation/accept', body);
    history.replaceState(null, '', '/');
    showRecovery(recovery);
  };
  const parts: (Node | string)[] = [
    make('p', {}, `You are ${asked.name} and may ${asked.role}.`),
    passwordLabel,
    againLabel,
    make('h3', {}, 'Authenticator'),
    make(
      'p',
      {},
      'Give this secret to an authenticator, or open ',
      make('a', { href: asked.totpUri }, 'this link'),
      ' on the device that has one:',
    ),
    make('pre', { id: 'totp-secret' }, secret),
    codeLabel,
  ];
  if (passkeysWork()) {
    const button = make(
      'button',
      { type: 'button', id: 'with-passkey', class: 'quiet' },
      'use a passkey instead',
    );
    button.addEventListener('click', () => {
      void makePasskey(asked.challenge, asked.name)
        .then(async (passkey) => accept({ passkey }))
        .catch((error: unknown) => {
          document.querySelector('.trouble')?.replaceChildren(String(error));
        });
    });
    parts.push(button);
  }
  form('Your account', parts, 'Begin', async () => accept({ totp: totp.value }));
}

/** The first thing to see for who is not logged in: an invitation that was opened, or the login. */
export function logIn(main: HTMLElement): void {
  const code = /^#invitation=([A-Za-z0-9_-]{43})$/.exec(location.hash)?.[1];
  if (code === undefined) return askPassword();
  acceptInvitation(code).catch((error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    main.replaceChildren(make('section', { class: 'notice', role: 'alert' }, make('p', {}, text)));
  });
}
