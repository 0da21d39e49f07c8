import { ok } from '../../../protocol/result.js';
import type { Decide } from '../decision.js';
import { decided } from '../decision.js';

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
