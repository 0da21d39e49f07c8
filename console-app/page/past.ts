import { make } from '../../console/page/dom.js';

interface Past {
  readonly away: readonly { readonly from: number; readonly until: number }[];
  readonly nodes: readonly {
    readonly node: string;
    readonly at: number | null;
    readonly missing: readonly { readonly from: number; readonly to: number; readonly why: string }[];
    readonly fork: object | null;
    readonly trouble: { readonly code: string } | null;
  }[];
}

const again_ms = 15_000;
const at = (ms: number): string => new Date(ms).toLocaleString();

/** What of the time in which this console was off is known, and what can no longer be: above the nodes, and not there when there is nothing to say. */
export function showPast(main: HTMLElement): void {
  const section = make('section', { class: 'notice', role: 'status', hidden: '' });
  main.prepend(section);
  const look = async (): Promise<void> => {
    const answer = await fetch('/api/v1/past?most=0').catch(() => undefined);
    if (!answer?.ok) return;
    const lines = linesOf((await answer.json()) as Past);
    section.hidden = lines.length === 0;
    section.replaceChildren(...lines.map((line) => make('p', {}, line)));
  };
  void look();
  setInterval(() => void look(), again_ms);
}

function linesOf({ away, nodes }: Past): string[] {
  const last = away.at(-1);
  const caught = nodes.filter((node) => node.at !== null && node.trouble === null).length;
  return [
    ...(last
      ? [
          `This console was off from ${at(last.from)} to ${at(last.until)}. What happened meanwhile was fetched from ${caught} of ${nodes.length} nodes: console-app history shows it.`,
        ]
      : []),
    ...nodes.flatMap(({ node, fork, missing, trouble, at: known }) => [
      ...(fork
        ? [
            `${node}: its history is NOT the one that was seen before; console-app history ${node} shows the evidence.`,
          ]
        : []),
      ...missing.map(
        ({ from, to, why }) => `${node}: entries ${from} to ${to} can no longer be known (${why}).`,
      ),
      ...(trouble && known !== null ? [`${node}: unknown since ${at(known)} (${trouble.code}).`] : []),
    ]),
  ];
}
