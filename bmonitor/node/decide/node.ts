import { ok } from '../../../protocol/result.js';
import type { Decide } from '../decision.js';
import { decided, type RequestOf, type Decision } from '../decision.js';
import type { Result } from '../../../protocol/result.js';
import { replaceLevel, type NodeState } from '../state.js';
import { levelOf } from './consoles.js';

export const decideRename: Decide<'node.rename'> = (state, { command }) =>
  ok(
    decided(
      { ...state, name: command.name },
      {
        result: { name: command.name },
        events: [
          { to: state.levels.map((_, at) => at), kind: 'node.renamed', fields: { name: command.name } },
        ],
      },
    ),
  );

/** The words are the level's own: no other level can move the keys of its consoles by them. */
export function decideLabel(
  state: NodeState,
  { level: index, command }: RequestOf<'node.label'>,
): Result<Decision> {
  const labels = [...new Set(command.labels)].sort();
  return ok(
    decided(replaceLevel(state, index, { ...levelOf(state, index), labels }), {
      result: { labels },
      events: [{ to: [index], kind: 'node.labelled', fields: { labels: labels.join(' ') } }],
    }),
  );
}
