import { metricList } from '../../console/metrics/metrics.js';

export function metricsPage(): string {
  const rows = Object.entries(metricList).map(
    ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
  );
  return [
    '# Metrics',
    '',
    'What `/metrics` of a console gives to Prometheus, made from `console/metrics/metrics.ts`. It needs a token (`Authorization:',
    'Bearer`, role view). `/healthz` answers as long as the daemon lives, `/readyz` as long as its store can be written; both need none.',
    '',
    '| metric | type | labels | what it says |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
