// Compiles the sources to dist/ (incrementally) and copies what is not TypeScript.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (args) => {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
};

run(['-p', 'tsconfig.json']);
for (const room of ['console', 'console-cluster', 'console-app']) {
  const page = join(root, room, 'page');
  if (!existsSync(page)) continue;
  for (const file of readdirSync(page, { recursive: true })) {
    if (/\.(html|css|svg|png|ico)$/.test(String(file)))
      cpSync(join(page, String(file)), join(root, 'dist', room, 'page', String(file)));
  }
}
if (existsSync(join(root, 'tsconfig.pages.json'))) run(['-p', 'tsconfig.pages.json']);
// Pages that are made from the sources follow them by themselves; where a clean tree is checked, a test compares instead.
if (process.env.CI === undefined) {
  const docs = spawnSync(process.execPath, [join(root, 'dist/scripts/docs.js')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (docs.status !== 0) process.exit(docs.status ?? 1);
}
