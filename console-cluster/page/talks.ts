import { make } from '../../console/page/dom.js';

interface Talk {
  readonly from: string;
  readonly to: string;
  readonly about: string;
  readonly both: boolean;
  readonly reason: string;
  readonly exception: string | null;
  readonly until: number | null;
}

interface Boundary {
  readonly node: string;
  readonly cluster: string | null;
  readonly state: 'behind' | 'in-step' | 'drifted' | 'refused';
}

const svgNames = 'http://www.w3.org/2000/svg';
const look_ms = 5000;

async function read<T>(path: string): Promise<T | undefined> {
  try {
    const answer = await fetch(path);
    return answer.ok ? ((await answer.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

function draw(tag: string, attributes: Readonly<Record<string, string | number>>, text?: string): SVGElement {
  const element = document.createElementNS(svgNames, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/** One node of a cluster, or somewhere outside. */
function placeOf(end: string, boundaries: readonly Boundary[]): string {
  const node = boundaries.find((boundary) => `node:${boundary.node}` === end);
  return node?.cluster ? `a node of ${node.cluster}` : 'outside';
}

function shortened(end: string): string {
  const [first = '', ...others] = end.split(' ');
  const one = first.length > 18 ? `${first.slice(0, 17)}…` : first;
  return others.length === 0 ? one : `${one} +${others.length}`;
}

/** Clusters on a circle, each with its nodes' state; an arrow for each exception, which says what it is about. */
function picture(talks: readonly Talk[], boundaries: readonly Boundary[]): SVGElement {
  const ends = [...new Set(talks.flatMap(({ from, to }) => [from, to]))];
  const radius = Math.max(150, ends.length * 30);
  const [width, height] = [radius * 2 + 320, radius * 2 + 90];
  const place = new Map(
    ends.map((end, at) => {
      const angle = (2 * Math.PI * at) / ends.length - Math.PI / 2;
      return [end, { x: width / 2 + radius * Math.cos(angle), y: height / 2 + radius * Math.sin(angle) }];
    }),
  );
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, class: 'talks', role: 'img' });
  svg.append(draw('title', {}, talks.map(({ from, to, about }) => `${from} to ${to}: ${about}`).join('; ')));
  const marker = draw('marker', {
    id: 'tip',
    viewBox: '0 0 8 8',
    refX: 7,
    refY: 4,
    markerWidth: 7,
    markerHeight: 7,
    orient: 'auto-start-reverse',
  });
  marker.append(draw('path', { d: 'M0 0 L8 4 L0 8 z', class: 'tip' }));
  svg.append(marker);
  for (const { from, to, about, both, exception } of talks) {
    const [a, b] = [place.get(from), place.get(to)];
    if (exception === null || !a || !b || a === b) continue;
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const [dx, dy] = [((b.x - a.x) / length) * 34, ((b.y - a.y) / length) * 34];
    svg.append(
      draw('line', {
        x1: a.x + dx,
        y1: a.y + dy,
        x2: b.x - dx,
        y2: b.y - dy,
        class: 'talk',
        'marker-end': 'url(#tip)',
        ...(both ? { 'marker-start': 'url(#tip)' } : {}),
      }),
      draw('text', { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 - 6, class: 'about' }, about),
    );
  }
  for (const [end, { x, y }] of place) {
    const nodes = boundaries.filter(({ cluster }) => cluster === end);
    const behind = nodes.filter(({ state }) => state !== 'in-step').length;
    const words =
      nodes.length === 0
        ? placeOf(end, boundaries)
        : `${nodes.length} nodes${behind > 0 ? `, ${behind} not in step` : ''}`;
    svg.append(
      draw('circle', {
        cx: x,
        cy: y,
        r: 28,
        class: nodes.length === 0 ? 'outside' : behind > 0 ? 'behind' : 'cluster',
      }),
      draw('text', { x, y: y + 4, class: 'end' }, shortened(end)),
      draw('text', { x, y: y + 42, class: 'words' }, words),
    );
  }
  return svg;
}

function tableOf(talks: readonly Talk[]): HTMLElement {
  const head = make(
    'tr',
    {},
    ...['from', 'to', 'about', 'until', 'why'].map((word) => make('th', { scope: 'col' }, word)),
  );
  const rows = talks.map(({ from, to, about, both, until, reason }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row' }, from),
      make('td', {}, both && from !== to ? `${to} and back` : to),
      make('td', {}, about),
      make(
        'td',
        {},
        until === null ? 'no end' : new Date(until).toISOString().slice(0, 16).replace('T', ' '),
      ),
      make('td', {}, reason),
    ),
  );
  return make('table', { class: 'talks' }, make('thead', {}, head), make('tbody', {}, ...rows));
}

/** Who may talk to whom, as a picture and as a table, under the nodes. */
export function showTalks(main: HTMLElement): void {
  const section = make('section', { class: 'boundaries', 'aria-label': 'who may talk to whom' });
  main.append(section);
  const look = async (): Promise<void> => {
    const [said, standing] = await Promise.all([
      read<{ talks: readonly Talk[] }>('/api/v1/talks'),
      read<{ boundaries: readonly Boundary[] }>('/api/v1/boundaries'),
    ]);
    const title = make('h2', {}, 'Who may talk to whom');
    if (!said || !standing)
      section.replaceChildren(title, make('p', {}, 'Unknown: the console does not answer.'));
    else if (said.talks.length === 0)
      section.replaceChildren(title, make('p', {}, 'There are no clusters: no node talks to any other.'));
    else section.replaceChildren(title, picture(said.talks, standing.boundaries), tableOf(said.talks));
  };
  void look();
  setInterval(() => void look(), look_ms);
}
