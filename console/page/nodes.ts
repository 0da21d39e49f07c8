import { ago, make, setText } from './dom.js';
import { badHealth, healthLine } from './health.js';
import { stillLoggedIn } from './session.js';

const states = ['refused', 'wrong', 'unknown', 'silent', 'late', 'connecting', 'good'] as const;
type State = (typeof states)[number];

/** Each state has a sign and a word of its own; its colour only repeats them. */
const signs: Record<State, string> = {
  good: '●',
  connecting: '◌',
  late: '◔',
  silent: '◐',
  wrong: '≠',
  unknown: '?',
  refused: '✕',
};
const meanings: Record<State, string> = {
  good: 'answered, sealed, within its time',
  connecting: 'being dialled, not heard yet',
  late: 'heard, and takes too long to answer',
  silent: 'was well, and is not heard any more',
  wrong: 'answers what cannot be: trust nothing that it says',
  unknown: 'nothing heard: it may be well or not',
  refused: 'does not accept this console',
};

interface NodeView {
  readonly name: string;
  readonly id: string;
  readonly keyStore: string;
  readonly level: number;
  readonly lease: string;
  readonly ways: readonly string[];
  readonly state: State;
  readonly lastSeen: number | null;
  readonly trouble: { readonly code: string; readonly detail: string } | null;
  readonly status: Readonly<Record<string, unknown>> | null;
  readonly place:
    (Readonly<Record<'room' | 'rack' | 'position', string | undefined>> & { readonly spare: boolean }) | null;
  readonly machine: string | null;
  readonly questions: Readonly<Record<'right' | 'late' | 'wrong' | 'none', number>> & {
    readonly took_ms: number | null;
  };
  readonly notice: { readonly time: number; readonly kind: string; readonly fields: object } | null;
}

interface NodesEvent {
  readonly type: 'nodes' | 'gone';
  readonly now: number;
  readonly nodes: readonly NodeView[];
  readonly gone: readonly string[];
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly state: HTMLElement;
  readonly seen: HTMLElement;
  readonly identity: HTMLElement;
  readonly trouble: HTMLElement;
  view: NodeView;
}

/** The table of nodes, live. */
export function showNodes(main: HTMLElement): void {
  new NodesPage().begin(main);
}

class NodesPage {
  readonly #rows = new Map<string, Row>();
  readonly #chips = new Map<State, { button: HTMLButtonElement; count: HTMLElement }>();
  readonly #body = make('tbody', {});
  readonly #search = make('input', {
    type: 'search',
    placeholder: 'filter by name or identity  ( / )',
    'aria-label': 'filter nodes by name or identity',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  readonly #banner = make('p', { role: 'alert', class: 'banner', hidden: '' });
  readonly #summary = make('p', { role: 'status', class: 'summary' });
  readonly #details = make('aside', { class: 'details', 'aria-live': 'off', hidden: '' });
  readonly #shown = new Set<State>(states);
  #selected: string | undefined;
  /** What to add to this machine's clock to get the console's. */
  #clockAhead = 0;
  #lostAt: number | undefined;

  begin(main: HTMLElement): void {
    const head = ['state', 'node', 'last answer', 'identity', 'trouble'];
    const table = make(
      'table',
      { 'aria-label': 'nodes' },
      make('thead', {}, make('tr', {}, ...head.map((name) => make('th', { scope: 'col' }, name)))),
      this.#body,
    );
    const tools = make('div', { class: 'tools' }, this.#chipBar(), this.#search);
    main.replaceChildren(
      this.#banner,
      tools,
      this.#summary,
      make('div', { class: 'split' }, make('div', { class: 'scroll' }, table), this.#details),
    );
    this.#search.addEventListener('input', () => this.#filter());
    document.addEventListener('keydown', (event) => this.#key(event));
    setInterval(() => this.#tick(), 1000);
    this.#listen();
  }

  #chipBar(): HTMLElement {
    const bar = make('div', { class: 'chips', role: 'group', 'aria-label': 'show nodes that are' });
    for (const state of states) {
      const count = make('b', {}, '0');
      const button = make(
        'button',
        { type: 'button', class: `chip ${state}`, 'aria-pressed': 'true', title: meanings[state] },
        make('span', { class: 'sign', 'aria-hidden': 'true' }, signs[state]),
        count,
        ` ${state}`,
      );
      button.addEventListener('click', () => {
        const shown = !this.#shown.delete(state);
        if (shown) this.#shown.add(state);
        button.setAttribute('aria-pressed', String(shown));
        this.#filter();
      });
      this.#chips.set(state, { button, count });
      bar.append(button);
    }
    return bar;
  }

  #listen(): void {
    const source = new EventSource('/api/v1/nodes-events');
    let first = true;
    source.addEventListener('open', () => {
      first = true;
      this.#lostAt = undefined;
      this.#banner.hidden = true;
    });
    source.addEventListener('message', (message) => {
      const event = JSON.parse(String(message.data)) as NodesEvent;
      this.#clockAhead = event.now - Date.now();
      if (first) this.#keepOnly(new Set(event.nodes.map(({ name }) => name)));
      first = false;
      for (const name of event.gone) this.#remove(name);
      for (const view of event.nodes) this.#show(view);
      this.#filter();
    });
    source.addEventListener('error', () => {
      this.#lostAt ??= Date.now();
      this.#tick();
      void stillLoggedIn().then((still) => still || location.reload());
      // A browser gives up for good on some errors; the console may still come back.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.#listen(), 2000);
    });
  }

  #keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#remove(name);
  }

  #remove(name: string): void {
    this.#rows.get(name)?.element.remove();
    this.#rows.delete(name);
    if (this.#selected === name) this.#select(undefined);
  }

  #show(view: NodeView): void {
    const row = this.#rows.get(view.name) ?? this.#addRow(view);
    row.view = view;
    this.#draw(row);
    if (this.#selected === view.name) this.#drawDetails(view);
  }

  #addRow(view: NodeView): Row {
    const [state, seen, identity, trouble] = [
      make('td', { class: 'state' }),
      make('td', { class: 'seen' }),
      make('td', { class: 'identity' }),
      make('td', { class: 'trouble' }),
    ];
    const name = make('th', { scope: 'row' }, view.name);
    const element = make('tr', { tabindex: '-1' }, state, name, seen, identity, trouble);
    element.addEventListener('click', () => this.#select(view.name));
    const row: Row = { element, state, seen, identity, trouble, view };
    this.#rows.set(view.name, row);
    const after = [...this.#body.children].find((other) => nameOf(other) > view.name);
    this.#body.insertBefore(element, after ?? null);
    if (this.#body.children.length === 1) element.tabIndex = 0;
    return row;
  }

  /** While the console itself is away, nothing is known of any node. */
  #stateOf(view: NodeView): State {
    return this.#lostAt === undefined ? view.state : 'unknown';
  }

  #draw(row: Row): void {
    const { view } = row;
    const state = this.#stateOf(view);
    if (row.element.dataset['state'] !== state) {
      row.element.dataset['state'] = state;
      row.state.replaceChildren(
        make('span', { class: `sign ${state}`, 'aria-hidden': 'true' }, signs[state]),
        make('span', { class: 'word', title: meanings[state] }, state),
      );
    }
    const now = Date.now() + this.#clockAhead;
    setText(row.seen, view.lastSeen === null ? 'never' : ago(now - view.lastSeen));
    setText(row.identity, view.id.slice(0, 12));
    setText(row.trouble, state === 'good' ? badHealth(view.status) : (view.trouble?.code ?? ''));
  }

  #tick(): void {
    if (this.#lostAt !== undefined) {
      const since = new Date(this.#lostAt).toLocaleTimeString();
      setText(
        this.#banner,
        `No connection to the console since ${since}. What is shown below is not current.`,
      );
      this.#banner.hidden = false;
    }
    for (const row of this.#rows.values()) this.#draw(row);
    this.#count();
  }

  #filter(): void {
    const wanted = this.#search.value.trim().toLowerCase();
    for (const row of this.#rows.values()) {
      const { name, id } = row.view;
      const matches = wanted === '' || name.includes(wanted) || id.toLowerCase().startsWith(wanted);
      row.element.hidden = !matches || !this.#shown.has(this.#stateOf(row.view));
    }
    this.#count();
  }

  #count(): void {
    const counts = new Map<State, number>();
    for (const { view } of this.#rows.values()) {
      const state = this.#stateOf(view);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    for (const [state, { button, count }] of this.#chips) {
      const found = counts.get(state) ?? 0;
      setText(count, String(found));
      button.classList.toggle('none', found === 0);
    }
    const all = this.#rows.size;
    const good = counts.get('good') ?? 0;
    const shown = [...this.#rows.values()].filter(({ element }) => !element.hidden).length;
    const text =
      all === 0
        ? 'No nodes yet. Add one with: nodes add CARD'
        : `${good} of ${all} nodes good${shown < all ? `, ${shown} shown` : ''}`;
    setText(this.#summary, text);
  }

  #visible(): Row[] {
    const rows = [...this.#rows.values()].filter(({ element }) => !element.hidden);
    return rows.sort((a, b) => (a.view.name < b.view.name ? -1 : 1));
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target === this.#search;
    if (event.key === 'Escape') {
      if (typing) this.#search.value = '';
      this.#search.blur();
      this.#filter();
      this.#select(undefined);
    } else if (event.key === '/' && !typing) {
      event.preventDefault();
      this.#search.focus();
    } else if (event.key === 'ArrowDown' || (event.key === 'j' && !typing)) {
      event.preventDefault();
      this.#move(1);
    } else if (event.key === 'ArrowUp' || (event.key === 'k' && !typing)) {
      event.preventDefault();
      this.#move(-1);
    } else if (event.key === 'Enter' && event.target instanceof HTMLTableRowElement) {
      this.#select(nameOf(event.target));
    }
  }

  #move(by: number): void {
    const rows = this.#visible();
    const at = rows.findIndex(({ element }) => element === document.activeElement);
    const next = at === -1 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
    const row = rows[next];
    if (!row) return;
    for (const { element } of this.#rows.values()) element.tabIndex = -1;
    row.element.tabIndex = 0;
    row.element.focus();
    if (this.#selected !== undefined) this.#select(row.view.name);
  }

  #select(name: string | undefined): void {
    this.#selected = name;
    for (const [other, { element }] of this.#rows) element.classList.toggle('selected', other === name);
    const view = name === undefined ? undefined : this.#rows.get(name)?.view;
    this.#details.hidden = view === undefined;
    if (view) this.#drawDetails(view);
  }

  #drawDetails(view: NodeView): void {
    const state = this.#stateOf(view);
    const lines: [string, string][] = [
      ['state', `${state}: ${meanings[state]}`],
      ['identity', view.id],
      ['keys rest in', view.keyStore === 'tpm' ? 'a TPM' : 'a file (for trying out only)'],
      ['level', String(view.level)],
      ['lease', view.lease],
      ['machine’s health', healthLine(view.status)],
      ...placeLines(view),
      ...view.ways.map((way): [string, string] => ['way', way]),
    ];
    if (view.trouble && state !== 'good')
      lines.push(['trouble', `${view.trouble.code} ${view.trouble.detail}`]);
    const { right, late, wrong, none, took_ms } = view.questions;
    const took = took_ms === null ? '' : `; the last took ${took_ms} ms`;
    lines.push(['questions', `${right} right, ${late} late, ${wrong} wrong, ${none} unanswered${took}`]);
    if (view.notice) {
      const { kind, fields, time } = view.notice;
      lines.push(['signed notice', `${new Date(time).toLocaleString()} ${kind} ${JSON.stringify(fields)}`]);
    }
    const status = view.status === null ? [] : flatten(view.status, '');
    this.#details.replaceChildren(
      make('h2', {}, view.name),
      definitions(lines),
      make('h3', {}, 'last sealed status'),
      status.length === 0 ? make('p', {}, 'none yet') : definitions(status),
    );
  }
}

function nameOf(row: Element): string {
  return row.querySelector('th')?.textContent ?? '';
}

function placeLines({ place, machine }: NodeView): [string, string][] {
  const lines: [string, string][] = [];
  if (place)
    for (const name of ['room', 'rack', 'position'] as const)
      if (place[name] !== undefined) lines.push([name, place[name]]);
  if (place?.spare) lines.push(['spare', 'kept ready to stand in for another']);
  if (machine !== null) lines.push(['machine', machine]);
  return lines;
}

function definitions(lines: readonly (readonly [string, string])[]): HTMLElement {
  return make('dl', {}, ...lines.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

/** A status is shown whatever it holds: `filters.version` and so on, one line each. */
function flatten(value: unknown, path: string): [string, string][] {
  if (Array.isArray(value))
    return value.length === 0 ? [[path, 'none']] : value.flatMap((item, i) => flatten(item, `${path}[${i}]`));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, inner]) =>
      flatten(inner, path === '' ? name : `${path}.${name}`),
    );
  return [[path, value === null ? 'unknown' : typeof value === 'string' ? value : JSON.stringify(value)]];
}
