import { ok, type Result } from '../../protocol/result.js';
import { formatRange, readRange } from './address.js';
import type { Names, NormalSet, PeerRange } from './model.js';
import { passingTogether, planes, type Region, RegionEffort, tooComplex } from './region.js';
import { peersOf, spellBoxes, spelledService } from './spell.js';

/** Who may talk to whom, all levels together: the peers, and what they may start and be asked. */
export interface Talk {
  readonly peers: string;
  /** The names that stand for exactly these peers or have them among their own. */
  readonly names: readonly string[];
  /** What the peer may start. */
  readonly in: readonly string[];
  /** What the node may start. */
  readonly out: readonly string[];
}

export function whoTalks(levels: readonly NormalSet[], names: Names): Result<readonly Talk[]> {
  const passed = passingTogether(levels);
  if (!passed.ok) return passed;
  const { twoway, oneway } = passed.value;
  const talks = new Map<string, Talk & { in: string[]; out: string[] }>();
  const named = rangesOf(names);
  const put = (region: Region, one: boolean): void => {
    for (const plane of planes)
      for (const rect of region.rects(plane)) {
        const range = peersOf(plane, rect);
        const peers = formatRange(range);
        const talk = talks.get(peers) ?? { peers, names: namesOf(range, named), in: [], out: [] };
        for (const box of spellBoxes(plane, rect, one)) talk[plane.direction].push(spelledService(box));
        talks.set(peers, talk);
      }
  };
  put(twoway, false);
  const effort = new RegionEffort();
  put(oneway.minus(twoway, effort), true);
  if (effort.spent) return tooComplex();
  return ok([...talks.values()]);
}

type Named = readonly (readonly [name: string, range: PeerRange])[];

function rangesOf(names: Names): Named {
  return [...names].flatMap(([name, addresses]) =>
    addresses.flatMap((address) => {
      const reading = readRange(address);
      return reading.kind === 'range' ? [[name, reading.range] as const] : [];
    }),
  );
}

function namesOf(range: PeerRange, named: Named): readonly string[] {
  const within = named.filter(
    ([, other]) => other.family === range.family && other.lo <= range.lo && other.hi >= range.hi,
  );
  return [...new Set(within.map(([name]) => name))];
}

const listed_max = 4;

function services(list: readonly string[]): string {
  const more = list.length - listed_max;
  return more > 0 ? `${list.slice(0, listed_max).join(', ')} and ${more} more` : list.join(', ');
}

function label(talk: Talk): string {
  return talk.names.length === 0 ? talk.peers : `${talk.peers} (${talk.names.join(', ')})`;
}

export function drawText(node: string, talks: readonly Talk[]): string {
  if (talks.length === 0) return `${node} talks to nobody\n`;
  const width = Math.max(...talks.map((talk) => label(talk).length));
  const lines = talks.flatMap((talk) => {
    const rows = [
      ...(talk.in.length === 0 ? [] : [`──▶ ${node}   ${services(talk.in)}`]),
      ...(talk.out.length === 0 ? [] : [`◀── ${node}   ${services(talk.out)}`]),
    ];
    return rows.map((row, index) => `${(index === 0 ? label(talk) : '').padEnd(width)}  ${row}`);
  });
  return `${lines.join('\n')}\n`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const row = 44;
const drawn_max = 500;

/** A picture that stands alone: peers on the left, the node on the right, an arrow for each side that may start. */
export function drawSvg(node: string, talks: readonly Talk[]): string {
  const shown = talks.slice(0, drawn_max);
  const height = Math.max(2, shown.length + (talks.length > shown.length ? 1 : 0)) * row + 40;
  const middle = height / 2;
  const arrow = (y: number, side: 'in' | 'out', text: string): string =>
    `<line x1="330" y1="${y}" x2="770" y2="${y}" class="${side}" marker-${side === 'in' ? 'end' : 'start'}="url(#tip)"/>` +
    `<text x="550" y="${y - 5}" class="service">${escape(text)}</text>`;
  const rows = shown.map((talk, index) => {
    const y = 20 + row * index + row / 2;
    const both = talk.in.length > 0 && talk.out.length > 0;
    return [
      `<text x="318" y="${y + 4}" class="peer">${escape(label(talk))}</text>`,
      talk.in.length === 0 ? '' : arrow(both ? y - 4 : y, 'in', services(talk.in)),
      talk.out.length === 0 ? '' : arrow(both ? y + 16 : y, 'out', services(talk.out)),
    ].join('');
  });
  const more = talks.length - shown.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 ${height}" font-family="sans-serif" font-size="13">
<style>.peer{text-anchor:end}.service{text-anchor:middle;font-size:11px}.in{stroke:#1a7f37}.out{stroke:#0a58ca}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>
<rect x="780" y="10" width="200" height="${height - 20}" rx="6" fill="#eef2f7" stroke="#57606a"/>
<text x="880" y="${middle}" text-anchor="middle">${escape(node)}</text>
${rows.join('\n')}
${more > 0 ? `<text x="318" y="${height - 20}" class="peer">and ${more} more</text>` : ''}
</svg>
`;
}
