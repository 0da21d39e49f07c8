import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { metricList } from '../../../console/metrics/metrics.js';
import { root } from '../../../scripts/run/root.js';

const folder = join(root, 'docs/prometheus');
/** What Prometheus itself adds to every sample, and labels that only rules make. */
const ofPrometheus = ['instance', 'job'];

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] };
}

/** Names of metrics in an expression, each with the labels it is asked by. */
function metricsIn(expression: string): { readonly name: string; readonly labels: readonly string[] }[] {
  const found = expression.matchAll(/\b((?:console|process|go|node)_[a-z_]+)(?:\{([^}]*)\})?/g);
  return [...found].map(([, name = '', inner = '']) => ({
    name,
    labels: [...inner.matchAll(/([a-z]+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label),
  }));
}

function expectKnown(expression: string, where: string): void {
  const known: Readonly<Record<string, { readonly labels: readonly string[] }>> = metricList;
  for (const { name, labels } of metricsIn(expression)) {
    expect(Object.keys(known), `${where}: ${name}`).to.include(name);
    for (const label of labels)
      expect([...(known[name]?.labels ?? []), ...ofPrometheus], `${where}: ${name}{${label}}`).to.include(
        label,
      );
  }
}

describe('what is given to Prometheus and Grafana', () => {
  it('asks in the dashboard only for metrics and labels that there are, and shows every one of them', () => {
    const board = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')) as Dashboard;
    const expressions = board.panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ title, expr })),
    );
    for (const { title, expr } of expressions) expectKnown(expr, title);
    for (const { query } of board.templating.list)
      expectKnown(typeof query === 'string' ? query : query.query, 'a variable');
    const shown = expressions.flatMap(({ expr }) => metricsIn(expr).map(({ name }) => name));
    for (const name of Object.keys(metricList)) expect(shown, 'no panel shows it').to.include(name);
  });

  it('asks in the alert rules only for metrics and labels that there are, and says in each what to do', () => {
    const rules = readFileSync(join(folder, 'alerts.yml'), 'utf8');
    const expressions = [...rules.matchAll(/^ +expr: (.+)$/gm)].map(([, expr = '']) => expr);
    expect(expressions.length).to.be.greaterThan(10);
    for (const expression of expressions) expectKnown(expression, expression);
    expect([...rules.matchAll(/^ +todo: /gm)].length).to.equal(expressions.length);
    for (const { name } of expressions.flatMap(metricsIn)) expect(name).not.to.equal('');
  });

  it('has alert rules that promtool takes, and that do what they are for', () => {
    for (const args of [
      ['check', 'rules', 'alerts.yml'],
      ['test', 'rules', 'alerts-test.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' });
      expect(status, `${stdout}${stderr}`).to.equal(0);
    }
  });
});
