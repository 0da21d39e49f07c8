import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { program, tool } from './program.js';
import { root } from './root.js';

interface Share {
  readonly total: number;
  readonly covered: number;
}
type Summary = Readonly<Record<string, { readonly lines: Share; readonly branches: Share }>>;

/** Shows how much of each room the tests ran through. A figure to look at, not to reach. */
export async function showCoverage(collected: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bmonitor-report-'));
  try {
    const flags = [
      '--temp-directory',
      collected,
      '--reports-dir',
      dir,
      '--reporter',
      'json-summary',
      '--merge-async',
      '--exclude-after-remap',
    ];
    const rooms = ['crypto', 'protocol', 'bmonitor', 'console', 'console-cluster', 'console-app'];
    const sources = rooms.flatMap((room) => ['--include', `${room}/**`]);
    const { code, output } = await program(tool('c8/bin/c8.js', 'report', ...flags, ...sources));
    if (code !== 0) {
      console.log(`\ncoverage could not be read: ${output.trim().split('\n').at(-1)}`);
      return;
    }
    print(JSON.parse(readFileSync(join(dir, 'coverage-summary.json'), 'utf8')) as Summary);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function print(summary: Summary): void {
  const rooms = new Map<string, { lines: Share; branches: Share }>();
  for (const [file, { lines, branches }] of Object.entries(summary)) {
    if (file === 'total') continue;
    const room = roomOf(relative(root, file));
    const sum = rooms.get(room) ?? { lines: nothing, branches: nothing };
    rooms.set(room, { lines: add(sum.lines, lines), branches: add(sum.branches, branches) });
  }
  console.log('\ncoverage                lines  branches');
  for (const [room, { lines, branches }] of [...rooms].sort(([a], [b]) => a.localeCompare(b)))
    console.log(`  ${room.padEnd(20)} ${percent(lines)}    ${percent(branches)}`);
}

const nothing: Share = { total: 0, covered: 0 };

function roomOf(file: string): string {
  const [first = '', second = ''] = file.split('/');
  return first === 'bmonitor' && !second.endsWith('.ts') ? `${first}/${second}` : first;
}

function add(one: Share, other: Share): Share {
  return { total: one.total + other.total, covered: one.covered + other.covered };
}

function percent({ total, covered }: Share): string {
  return `${(total === 0 ? 100 : (100 * covered) / total).toFixed(1)} %`.padStart(7);
}
