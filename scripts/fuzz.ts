// npm run fuzz -- --seconds 60 [--only commands] [--seed N]: feeds every parser with as much as the time allows, in turns of a few
// thousand inputs, and says how many there were, how long the slowest turn took, and what the memory did.
import { parseArgs } from 'node:util';
import { binaryTargets } from '../test/fakes/fuzz-binary.js';
import { noticeTargets } from '../test/fakes/fuzz-notices.js';
import { feed, fuzzTargets } from '../test/fakes/fuzz-targets.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, only: { type: 'string' }, seed: { type: 'string' } },
});
const seconds = Number(values.seconds ?? 60);
const targets = [...fuzzTargets, ...binaryTargets, ...noticeTargets].filter(
  ({ name }) => values.only === undefined || name === values.only,
);
if (!(seconds > 0) || targets.length === 0) {
  console.error('npm run fuzz -- --seconds 60 [--only NAME] [--seed N]');
  process.exit(2);
}

const turn = 5000;
let seed = Number(values.seed ?? Date.now() % 2 ** 31);
const counts = new Map<string, number>();
let slowest_ms = 0;
const heapOf = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};
let first_bytes: number | undefined;
const end = performance.now() + seconds * 1000;
while (performance.now() < end) {
  for (const target of targets) {
    const started = performance.now();
    // The seed is printed with a failure, and `--seed` plays it again.
    const fed = await feed(target, turn, seed);
    slowest_ms = Math.max(slowest_ms, performance.now() - started);
    counts.set(target.name, (counts.get(target.name) ?? 0) + fed);
  }
  first_bytes ??= heapOf();
  seed = (seed + 1) % 2 ** 31;
}
const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
for (const [name, count] of counts) console.log(`${name.padEnd(12)} ${count} inputs`);
const growth = (heapOf() - (first_bytes ?? 0)) / 1024 / 1024;
console.log(
  `${all} inputs, none threw; the slowest ${turn} took ${slowest_ms.toFixed(0)} ms; heap ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} MiB since the first round`,
);
