import { tokensOf, type Token } from './lexer.js';

export interface Import {
  /** What is named: a path, a package, a built-in; undefined if it is computed and nobody can know. */
  readonly target: string | undefined;
  readonly line: number;
}

/** Every import of a source: static, `import type`, re-export, dynamic, `typeof import(…)`, require. */
export function importsOf(source: string): readonly Import[] {
  const tokens = tokensOf(source);
  const found: Import[] = [];
  tokens.forEach((token, at) => {
    if (token.kind !== 'name' || tokens[at - 1]?.value === '.') return;
    const next = tokens[at + 1];
    if (token.value === 'import' && next?.value === '(') found.push(called(tokens, at));
    else if (token.value === 'require' && next?.value === '(') found.push(called(tokens, at));
    else if (token.value === 'import' && next?.kind === 'text')
      found.push({ target: next.value, line: next.line });
    else if (token.value === 'from' && next?.kind === 'text' && isClause(tokens, at))
      found.push({ target: next.value, line: next.line });
  });
  return found;
}

function called(tokens: readonly Token[], at: number): Import {
  const argument = tokens[at + 2];
  const line = tokens[at]?.line ?? 0;
  const end = tokens[at + 3]?.value;
  const known = argument?.kind === 'text' && !argument.value.includes('${}') && (end === ')' || end === ',');
  return { target: known ? argument.value : undefined, line };
}

/** `from` ends a clause of import or export only if one began before it, with nothing but names, braces and commas between. */
function isClause(tokens: readonly Token[], at: number): boolean {
  for (let back = at - 1; back >= 0; back--) {
    const token = tokens[back];
    if (token === undefined) return false;
    if (token.kind === 'name' && (token.value === 'import' || token.value === 'export')) return true;
    if (
      token.kind !== 'name' &&
      !(token.kind === 'mark' && '{},*'.includes(token.value)) &&
      token.kind !== 'text'
    )
      return false;
  }
  return false;
}
