import type { ErrorEntry } from '../../protocol/errors/entry.js';
import { errorCatalogue } from '../../protocol/errors/index.js';

export function errorsPage(catalogue: Readonly<Record<string, ErrorEntry>> = errorCatalogue): string {
  const sections = Object.entries(catalogue)
    .sort(([a], [b]) => a.localeCompare(b, 'en'))
    .map(([code, { what, why, todo }]) => `## ${code}\n\n${what}\n\n- Why: ${why}\n- What to do: ${todo}\n`);
  return `# Errors

Every refusal carries one of these codes, where it can a sentence about this case (\`detail\`), and the place in the input
(\`where\`). Codes are stable: programs may act on them. A refused command has changed nothing, unless its text says so.

This page is made from \`protocol/errors/\` by \`npm run docs\`.

${sections.join('\n')}`;
}
