import { byId, make, setText } from './dom.js';

interface Who {
  readonly name: string;
  readonly role: string;
}

async function who(): Promise<Who | undefined> {
  const answer = await fetch('/api/v1/session');
  return answer.ok ? ((await answer.json()) as Who) : undefined;
}

/** The code of a login link stands behind the #, which browsers do not send to any server. */
async function useLink(): Promise<void> {
  const code = /^#login=([A-Za-z0-9_-]{43})$/.exec(location.hash)?.[1];
  if (code === undefined) return;
  history.replaceState(null, '', '/');
  await fetch('/api/v1/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });
}

export function askForLink(title: string): void {
  const text =
    'Nobody is logged in here. Open the link that this command prints; it works once, for two minutes:';
  byId('main').replaceChildren(
    make('section', { class: 'notice' }, make('p', {}, text), make('pre', {}, `${title} open`)),
  );
}

/** Shows the page to who is logged in, and says how to log in to who is not. */
export async function begin(
  title: string,
  show: (main: HTMLElement) => void,
  logIn: (main: HTMLElement) => void = () => askForLink(title),
): Promise<void> {
  // A second login link may be opened in a tab that is here already.
  addEventListener('hashchange', () => location.reload());
  await useLink();
  const caller = await who();
  if (!caller) return logIn(byId('main'));
  const leave = make('button', { type: 'button', class: 'quiet' }, 'log out');
  leave.addEventListener('click', () => {
    void fetch('/api/v1/session', { method: 'DELETE' }).then(() => location.reload());
  });
  const name = make('span', {});
  setText(name, `${caller.name}, may ${caller.role}`);
  byId('who').replaceChildren(name, leave);
  show(byId('main'));
}

export async function stillLoggedIn(): Promise<boolean> {
  try {
    return (await who()) !== undefined;
  } catch {
    // The console is away: that is not the same as being logged out.
    return true;
  }
}
