import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { isGood, Leased } from '../../fakes/leased.js';
import { until } from '../../fakes/until.js';
import { smallSystem } from './rig.js';

interface Line {
  readonly name: string;
  readonly state: string;
  readonly revision: number;
  readonly wanted: string;
}
interface Answer {
  readonly nodes: readonly {
    readonly node: string;
    readonly value?: { readonly engines: readonly Line[] };
    readonly trouble?: { readonly code: string };
  }[];
}

describe('engines of a customer on several nodes', function () {
  this.timeout(240_000);
  const leased = new Leased('node-1', 'node-2', 'node-3');
  const { app, nodes, names } = leased;
  let system = '';
  let other = '';

  const described = (file: string, script: string): string =>
    app.file(
      file,
      JSON.stringify({
        name: 'web',
        image: system,
        command: ['sh', '-c', script],
        memory_mb: 32,
        grace_s: 1,
      }),
    );
  const seen = (): readonly string[] =>
    (JSON.parse(app.cli('engines', 'list', '--json').out) as Answer).nodes.map(({ node, value, trouble }) => {
      const [one] = value?.engines ?? [];
      return `${node} ${trouble?.code ?? (one ? `${one.name} ${one.state} ${one.revision}` : 'nothing')}`;
    });

  before(async () => {
    [system, other] = [smallSystem(), smallSystem()];
    await leased.begin({ init: ['--file-bytes', '268435456'] });
    app.must('groups', 'set', 'web', ...names);
  });
  after(async () => {
    app.cli('engines', 'remove', 'web', 'group:web', '--confirm', 'web');
    await leased.remove();
    for (const folder of [system, other]) rmSync(folder, { recursive: true, force: true });
  });

  it('are deployed from one description: the image is brought, each node runs it well before the next is taken', () => {
    const file = described('web.json', 'echo begun; while :; do sleep 0.2; done');
    const { status, out, err } = app.cli('engines', 'deploy', file, 'group:web', '--well', '1');
    expect(status, err).to.equal(0);
    expect(out).to.equal('web: runs well on all of them\n');
    expect(err).to.match(/image sha256:[0-9a-f]{64} is on 3 nodes/);
    const order = [...err.matchAll(/^(node-\d): (updating|well)$/gm)].map(([line]) => line);
    expect(order).to.deep.equal(names.flatMap((name) => [`${name}: updating`, `${name}: well`]));
    expect(seen()).to.deep.equal(names.map((name) => `${name} web running 1`));
  });

  it('go back everywhere when one does not run well, and what ran before runs again', () => {
    const bad = described('bad.json', 'sleep 0.3; exit 7');
    const { status, out, err } = app.cli(
      'engines',
      'deploy',
      bad,
      'group:web',
      '--well',
      '2',
      '--at-once',
      '2',
    );
    expect(status).to.equal(1);
    expect(out).to.equal('web: went back to what stood before on every node that was touched\n');
    expect(err).to.include('engine-not-well');
    expect(err).not.to.include('node-3: updating');
    const shown = app.must('engines', 'show', 'web', 'node-1');
    expect(shown).to.include('echo begun');
  });

  it('are seen, stopped, started, paused and resumed on many at once', async () => {
    await until(() => seen().every((line) => line.includes('running')));
    app.must('engines', 'pause', 'web', 'group:web');
    await until(() => seen().every((line) => line.includes('paused')));
    app.must('engines', 'resume', 'web', 'group:web');
    app.must('engines', 'stop', 'web', 'node-2', '--grace', '1');
    await until(() => seen().some((line) => line.startsWith('node-2 web stopped')));
    app.must('engines', 'start', 'web', 'node-2');
    await until(() => seen().every((line) => line.includes('running')));
  });

  it('show what they wrote, each line with its node', async () => {
    await until(() => {
      const out = app.must('engines', 'logs', 'web', 'group:web');
      return names.every((name) => out.includes(`${name}  begun`));
    });
    expect(app.must('engines', 'logs', 'web', 'node-1').split('\n')[0]).to.equal('begun');
  });

  it('are unknown on a node that is away, and the others are told all the same', async () => {
    await nodes[2]?.stop();
    await until(() => !isGood(app, 'node-3'));
    const { status, out } = app.cli('engines', 'restart', 'web', 'group:web');
    expect(status).to.equal(1);
    expect(out).to.match(/node-1: told to start again\nnode-2: told to start again\nnode-3: unreachable/);
    await nodes[2]?.run();
    await until(() => isGood(app, 'node-3'));
    expect(seen()[2]).to.match(/^node-3 web running/);
  });

  it('run on as many nodes as one says: what is taken away ends and is not forgotten, and is the first to come back', async () => {
    const scale = (count: number, ...more: readonly string[]) =>
      app.cli(
        'engines',
        'scale',
        'web',
        '--nodes',
        String(count),
        '--of',
        'group:web',
        '--well',
        '0',
        ...more,
      );
    await until(() => seen().every((line) => line.includes('running')));
    const planned = scale(1, '--dry-run');
    expect(planned.status, planned.err).to.equal(0);
    expect(planned.out).to.match(
      /^web runs on 3 of these nodes, 1 are wanted\n(- node-\d: running\n){2}= node-\d: stays\n$/,
    );
    expect(seen().every((line) => line.includes('running'))).to.equal(true);
    const fewer = scale(1);
    expect([fewer.status, fewer.out], fewer.err).to.deep.equal([0, 'web: runs on 1 node\n']);
    const stays = /= (node-\d): stays/.exec(planned.out)?.[1] ?? '';
    expect(seen()).to.satisfy((all: readonly string[]) =>
      all.every((line) => line.includes(line.startsWith(stays) ? 'running' : 'stopped')),
    );
    const more = scale(2);
    expect([more.status, more.out], more.err).to.deep.equal([0, 'web: runs on 2 nodes\n']);
    expect(more.err).to.match(/^\+ node-\d: stopped there; \d+ MiB left for engines, it may take 32$/m);
    const none = scale(4);
    expect(none.status).to.equal(1);
    expect(none.err).to.include('no-place');
  });

  it('come to nodes that lack the image only with the description, and only when that gives the same image', () => {
    const to = (count: number, ...more: readonly string[]) =>
      app.cli(
        'engines',
        'scale',
        'two',
        '--nodes',
        String(count),
        '--of',
        'group:web',
        '--well',
        '0',
        ...more,
      );
    const description = (file: string): string =>
      app.file(file, JSON.stringify({ name: 'two', image: other, command: ['sleep', '900'], memory_mb: 32 }));
    writeFileSync(join(other, 'mark'), '1');
    const file = description('two.json');
    expect(app.cli('engines', 'deploy', file, 'node-1', '--well', '0').status).to.equal(0);
    expect(to(2).err).to.include('no-place').and.include('its image is not there');
    const brought = to(2, '--from', file);
    expect([brought.status, brought.out], brought.err).to.deep.equal([0, 'two: runs on 2 nodes\n']);
    writeFileSync(join(other, 'mark'), '2');
    const wrong = to(3, '--from', file);
    expect([wrong.status, wrong.err]).to.satisfy(
      ([status, err]: [number, string]) => status === 1 && err.includes('engine-differs'),
    );
    expect(to(0, '--remove').err).to.include('confirm-by-name');
    expect(to(0, '--remove', '--confirm', 'two').status).to.equal(0);
    expect(app.must('engines', 'list')).not.to.include('two');
  });

  it('know the secrets that their description names, on every node, sealed for each; one that is missing somewhere undoes it everywhere', async () => {
    const file = app.file(
      'keeper.json',
      JSON.stringify({
        name: 'keeper',
        image: system,
        command: ['sh', '-c', 'echo knows $(cat /run/secrets/token); while :; do sleep 0.2; done'],
        memory_mb: 32,
        grace_s: 1,
        secrets: ['token'],
      }),
    );
    const deploy = () => app.cli('engines', 'deploy', file, ...names, '--well', '0', '--bound', '8');
    const value = app.file('token', 'first');
    app.must('engines', 'secrets', 'set', 'token', 'node-1', 'node-2', '--file', value);
    const lacking = deploy();
    expect([lacking.status, lacking.out], lacking.err).to.deep.equal([
      1,
      'keeper: went back to what stood before on every node that was touched\n',
    ]);
    expect(lacking.err).to.match(/node-3: returned: engine-not-well .*secret-missing/);
    app.must('engines', 'secrets', 'set', 'token', 'group:web', '--file', value);
    expect(deploy().status).to.equal(0);
    const logs = () => app.must('engines', 'logs', 'keeper', 'group:web');
    await until(() => names.every((name) => logs().includes(`${name}  knows first`)));
    const kept = JSON.parse(app.must('engines', 'secrets', 'list', 'group:web', '--json')) as {
      readonly nodes: readonly {
        readonly value: { readonly secrets: readonly { readonly engines: readonly string[] }[] };
      }[];
    };
    expect(kept.nodes.map(({ value: { secrets } }) => secrets[0]?.engines)).to.deep.equal(
      names.map(() => ['keeper']),
    );
    app.must('engines', 'remove', 'keeper', 'group:web', '--confirm', 'keeper');
    app.must('engines', 'secrets', 'remove', 'token', 'group:web', '--confirm', 'token');
  });

  it('are removed by their name', () => {
    expect(app.cli('engines', 'remove', 'web', 'group:web').status).to.equal(1);
    app.must('engines', 'remove', 'web', 'group:web', '--confirm', 'web');
    expect(seen()).to.deep.equal(names.map((name) => `${name} nothing`));
  });

  it('are refused before anything is sent when the description is wrong', () => {
    const file = app.file('wrong.json', JSON.stringify({ name: 'web', image: system, memory: 3 }));
    expect(app.cli('engines', 'deploy', file, 'group:web').err).to.match(/^bad-input: [^]*memory/);
  });
});
