import { make, setText } from '../../console/page/dom.js';

/** What is seen at a glance; each has a sign and a word of its own, its colour only repeats them. */
const glances = ['bad', 'unknown', 'changing', 'running', 'well', 'paused', 'stopped'] as const;
type Glance = (typeof glances)[number];

const signs: Record<Glance, string> = {
  well: '●',
  running: '○',
  changing: '◌',
  paused: '‖',
  stopped: '■',
  bad: '✕',
  unknown: '?',
};
const meanings: Record<Glance, string> = {
  well: 'it runs, and its probes say that it works',
  running: 'it runs; no probe says whether it works',
  changing: 'it is being ended',
  paused: 'it stands still, as it was asked to',
  stopped: 'it does not run, and nobody wants it to, or its policy leaves it at that',
  bad: 'it ended, could not be started, or its probes say that it does not work',
  unknown: 'the node does not say: it may run or not',
};
/** Of the colours that the page has. */
const colours: Record<Glance, string> = {
  well: 'good',
  running: 'connecting',
  changing: 'connecting',
  paused: 'silent',
  stopped: 'silent',
  bad: 'refused',
  unknown: 'unknown',
};

interface Said {
  readonly name?: string;
  readonly state?: string;
  readonly health?: string;
  readonly since_ms?: number;
  readonly restarts?: number;
  readonly lastEnd?: { readonly how?: string; readonly probe?: string };
  readonly lastFailure?: { readonly code?: string };
}

interface Answer {
  readonly nodes: readonly {
    readonly node: string;
    readonly value?: { readonly engines: readonly Said[] };
    readonly trouble?: { readonly code: string };
  }[];
}

interface Line {
  readonly node: string;
  readonly engine: string;
  readonly glance: Glance;
  readonly since: string;
  readonly restarts: string;
  readonly trouble: string;
}

const again_ms = 5000;

/** What a node says of an engine, in one word. Where it says nothing of its health, that it runs is all that is known. */
function glanceOf({ state, health }: Said): Glance {
  switch (state) {
    case 'running':
      if (health === undefined) return 'running';
      return health === 'good' ? 'well' : health === 'bad' ? 'bad' : 'unknown';
    case 'waiting':
      return 'bad';
    case 'ending':
      return 'changing';
    case 'paused':
    case 'stopped':
      return state;
    case undefined:
    default:
      return 'unknown';
  }
}

function lineOf(node: string, said: Said): Line {
  const glance = glanceOf(said);
  const { lastEnd, lastFailure } = said;
  const last = lastFailure?.code ?? (lastEnd ? `ended: ${lastEnd.how ?? 'unknown'}` : '');
  return {
    node,
    engine: said.name ?? '(locked)',
    glance,
    since: said.since_ms === undefined ? '' : new Date(said.since_ms).toLocaleString(),
    restarts: String(said.restarts ?? 0),
    trouble: glance === 'well' || glance === 'running' ? '' : last,
  };
}

/** The engines of all nodes under the nodes themselves: not there while there are none. */
export function showEngines(main: HTMLElement): void {
  new EnginesPage().begin(main);
}

class EnginesPage {
  readonly #section = make('section', { class: 'engines', 'aria-label': 'engines', hidden: '' });
  readonly #summary = make('p', { role: 'status', class: 'summary' });
  readonly #body = make('tbody', {});
  /** The engines that each node named when it was last heard. */
  readonly #known = new Map<string, readonly Said[]>();
  #asking = false;

  begin(main: HTMLElement): void {
    const head = ['state', 'engine', 'node', 'since', 'restarts', 'trouble'];
    const table = make(
      'table',
      { 'aria-label': 'engines' },
      make('thead', {}, make('tr', {}, ...head.map((name) => make('th', { scope: 'col' }, name)))),
      this.#body,
    );
    this.#section.append(make('h2', {}, 'Engines'), this.#summary, make('div', { class: 'scroll' }, table));
    main.append(this.#section);
    setInterval(() => void this.#look(), again_ms);
    document.addEventListener('visibilitychange', () => void this.#look());
    void this.#look();
  }

  /** Every look is a sealed question to every node: none is asked for a page that nobody sees. */
  async #look(): Promise<void> {
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    try {
      const answer = await fetch('/api/v1/engines');
      this.#show(
        answer.ok ? this.#linesOf((await answer.json()) as Answer) : this.#nothingKnown('no answer'),
      );
    } catch {
      this.#show(this.#nothingKnown('no connection to the console'));
    } finally {
      this.#asking = false;
    }
  }

  #linesOf({ nodes }: Answer): readonly Line[] {
    for (const node of this.#known.keys())
      if (!nodes.some((one) => one.node === node)) this.#known.delete(node);
    return nodes.flatMap(({ node, value, trouble }) => {
      if (!value) return this.#unknown(node, trouble?.code ?? 'no answer');
      this.#known.set(node, value.engines);
      return value.engines.map((said) => lineOf(node, said));
    });
  }

  #nothingKnown(why: string): readonly Line[] {
    return [...this.#known.keys()].flatMap((node) => this.#unknown(node, why));
  }

  /** What was so a moment ago may be so no more. */
  #unknown(node: string, trouble: string): readonly Line[] {
    const names = (this.#known.get(node) ?? []).map(({ name }) => name ?? '(locked)');
    return (names.length > 0 ? names : ['(not known)']).map((engine) => ({
      node,
      engine,
      glance: 'unknown',
      since: '',
      restarts: '',
      trouble,
    }));
  }

  #show(lines: readonly Line[]): void {
    this.#section.hidden = lines.length === 0;
    const sorted = [...lines].sort(
      (a, b) =>
        glances.indexOf(a.glance) - glances.indexOf(b.glance) ||
        `${a.engine} ${a.node}`.localeCompare(`${b.engine} ${b.node}`),
    );
    const counts = glances
      .map((glance) => [glance, lines.filter((line) => line.glance === glance).length] as const)
      .filter(([, count]) => count > 0);
    setText(this.#summary, counts.map(([glance, count]) => `${count} ${glance}`).join(', '));
    this.#body.replaceChildren(...sorted.map(rowOf));
  }
}

function rowOf({ node, engine, glance, since, restarts, trouble }: Line): HTMLElement {
  return make(
    'tr',
    { 'data-glance': glance },
    make(
      'td',
      { class: 'state' },
      make('span', { class: `sign ${colours[glance]}`, 'aria-hidden': 'true' }, signs[glance]),
      make('span', { class: 'word', title: meanings[glance] }, glance),
    ),
    make('th', { scope: 'row' }, engine),
    make('td', {}, node),
    make('td', { class: 'seen' }, since),
    make('td', { class: 'seen' }, restarts),
    make('td', { class: 'trouble' }, trouble),
  );
}
