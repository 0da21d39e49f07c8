import { expect } from 'chai';
import {
  CallCounter,
  metricList,
  metricsText,
  nodeSamples,
  sample,
} from '../../../console/metrics/metrics.js';

const questions = { right: 5, late: 1, wrong: 0, none: 0 };

describe('the figures for Prometheus', () => {
  it('are in its text format, each with its help and type before it', () => {
    const text = metricsText([
      ...nodeSamples((['good', 'good', 'unknown'] as const).map((state) => ({ state, questions }))),
      sample('console_gateway_nodes', 3),
    ]);
    expect(text).to.include('# TYPE console_nodes gauge\nconsole_nodes{state="unknown"} 1\n');
    expect(text)
      .to.include('console_nodes{state="good"} 2\n')
      .and.include('console_nodes{state="silent"} 0\n');
    expect(text).to.include('console_node_questions_total{outcome="late"} 3\n');
    expect(text.endsWith('console_gateway_nodes 3\n')).to.equal(true);
    for (const line of text.trim().split('\n'))
      expect(line).to.match(
        /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+]+)$/,
      );
  });

  it('leave out what is not known, which is not the same as zero', () => {
    expect(metricsText([sample('console_gateway_nodes', 0)])).not.to.include('console_leases');
  });

  it('escape what could break a line', () => {
    const text = metricsText([
      sample('console_api_calls_total', 1, { method: 'GET', path: '/a"b\\c\nd', code: 'ok' }),
    ]);
    expect(text).to.include('path="/a\\"b\\\\c\\nd"');
  });

  it('count calls by route and outcome', () => {
    const calls = new CallCounter();
    calls.count('GET', '/x', 'ok');
    calls.count('GET', '/x', 'ok');
    calls.count('GET', '/x', 'not-found');
    expect(calls.samples().map(({ value }) => value)).to.deep.equal([2, 1]);
  });

  it('carry the labels that the list names, and end in their unit', () => {
    for (const [name, { type }] of Object.entries(metricList))
      expect(name.endsWith('_total'), name).to.equal(type === 'counter');
    for (const { name, labels } of nodeSamples([]))
      expect(Object.keys(labels)).to.deep.equal([...metricList[name].labels]);
  });
});
