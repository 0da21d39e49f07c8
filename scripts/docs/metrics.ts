import { metricList } from '../../console/metrics/metrics.js';

export function metricsPage(): string {
  const rows = Object.entries(metricList).map(
    ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
  );
  return [
    '# Metrics',
    '',
    'What `/metrics` of a console gives to Prometheus, made from `console/metrics/metrics.ts`. It needs a token (`Authorization:',
    'Bearer`, role view). `/healthz` answers as long as the daemon lives, `/readyz` as long as its store can be written and read; both need none.',
    '',
    'Beside this page, in `prometheus/`: `alerts.yml` (rules, with `alerts-test.yml` for `promtool test rules`) and `dashboard.json` for',
    'Grafana (Dashboards, New, Import). A scrape looks so; the token is one of `console-cluster tokens make prometheus --area metrics`:',
    '',
    '```yaml',
    'scrape_configs:',
    '  - job_name: bmonitor',
    '    authorization: { credentials_file: /etc/prometheus/bmonitor.token }',
    '    static_configs: [{ targets: ["127.0.0.1:7400"] }]',
    '```',
    '',
    '| metric | type | labels | what it says |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
