/** What a command did on each of several nodes, as a person reads it. */
export interface Json {
  readonly json?: boolean;
}

/** What came of something on one of several nodes. */
export interface OnNode {
  readonly node: string;
  readonly value?: Readonly<Record<string, unknown>>;
  readonly trouble?: { readonly code: string; readonly detail?: string };
}

export const troubleText = (trouble: OnNode['trouble']): string =>
  `${trouble?.code ?? ''} ${trouble?.detail ?? ''}`.trim();
export const listOf = (targets: readonly string[]): string => encodeURIComponent(targets.join(','));

/** One node that did not do it makes the exit code 1. */
export function nodesIn(answer: Record<string, unknown>): readonly OnNode[] {
  const nodes = answer['nodes'] as readonly OnNode[];
  if (nodes.some(({ trouble }) => trouble)) process.exitCode = 1;
  return nodes;
}

export function printOutcomes(answer: Record<string, unknown>, flags: Json, done: string): void {
  const nodes = nodesIn(answer);
  if (flags.json) return console.log(JSON.stringify(answer));
  for (const { node, trouble } of nodes)
    console.log(trouble ? `${node}: ${troubleText(trouble)}` : `${node}: ${done}`);
}
