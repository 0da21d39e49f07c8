import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { isGood, Leased } from '../fakes/leased.js';
import { until } from '../fakes/until.js';

const index = fileURLToPath(new URL('../../console-app/cli/index.js', import.meta.url));

describe('sub-boundaries of a customer, on many nodes at once', function () {
  this.timeout(180_000);
  const leased = new Leased('node-1', 'node-2');
  const { app, nodes, names } = leased;
  const versionOf = (name: string): number =>
    (JSON.parse(app.must('filters', 'show', name, '--json')) as { version: number }).version;
  const set = (name: string, ...filters: object[]): string =>
    app.file(name, JSON.stringify({ otherwise: 'inherit', filters }));
  const narrow = (): string =>
    set('narrow.json', {
      action: 'deny',
      direction: 'in',
      peers: ['10.2.0.5'],
      protocol: 'tcp',
      ports: [22],
    });
  const wide = (): string =>
    set('wide.json', {
      action: 'allow',
      direction: 'in',
      peers: ['203.0.113.5'],
      protocol: 'tcp',
      ports: [22],
    });

  before(async () => {
    const filters = [{ action: 'allow', peers: ['10.2.0.0/16'] }];
    await leased.begin({ boundary: { otherwise: 'deny', filters } });
    app.must('groups', 'set', 'web', ...names);
  });
  after(async () => leased.remove());

  it('are checked before they are applied, and what does not fit is said in a sentence', () => {
    expect(app.must('filters', 'check', narrow(), 'group:web')).to.equal('node-1: fits\nnode-2: fits\n');
    const { status, out } = app.cli('filters', 'check', wide(), 'group:web');
    expect(status).to.equal(1);
    expect(out).to.include(
      'node-1: this would let 203.0.113.5 reach node-1 at port 22 (tcp), which the levels above do not\n  allowed by filters[0]',
    );
    expect(app.cli('filters', 'check', narrow(), 'group:none').status).to.equal(1);
  });

  it('are shown as what they would newly allow and refuse', () => {
    const out = app.must('filters', 'diff', narrow(), 'node-1');
    expect(out).to.include('node-1:').and.to.include('- in 10.2.0.5 tcp 22');
  });

  it('are taken by all nodes', () => {
    app.must('filters', 'apply-all', narrow(), 'group:web');
    for (const name of names) expect(versionOf(name)).to.be.greaterThan(0);
    expect(app.must('filters', 'diff', narrow(), 'group:web')).to.equal(
      'node-1: nothing changes\nnode-2: nothing changes\n',
    );
  });

  it('are taken by none when one refuses, or is away', async () => {
    const before = names.map(versionOf);
    expect(app.cli('filters', 'apply-all', wide(), 'group:web').err).to.match(/^boundary-refused: /);
    const held = set('held.json');
    app.must('filters', 'apply', 'node-2', held, '--confirm-within', '600');
    const other = set('other.json', { action: 'deny', peers: ['10.2.0.9'] });
    expect(app.cli('filters', 'apply-all', other, 'group:web').err).to.match(/^boundary-refused: /);
    app.must('filters', 'undo', 'node-2', String(versionOf('node-2')));
    await nodes[1]?.stop();
    await until(() => !isGood(app, 'node-2'));
    expect(app.cli('filters', 'apply-all', other, 'group:web').err).to.match(/^unreachable: /);
    await nodes[1]?.run();
    await until(() => isGood(app, 'node-2'));
    expect(app.must('filters', 'diff', narrow(), 'group:web')).to.equal(
      'node-1: nothing changes\nnode-2: nothing changes\n',
    );
    expect(versionOf('node-1')).to.be.at.least(before[0] ?? 0);
  });

  it('are edited until they fit, shown, and applied, at a terminal', () => {
    const editor = app.file('editor.py', editorScript);
    const answers = app.file('answers.py', terminalScript);
    const command = [process.execPath, index, '--dir', app.dir, 'filters', 'edit', 'group:web'];
    const run = spawnSync('python3', [answers, ...command], {
      encoding: 'utf8',
      env: { ...process.env, EDITOR: `python3 ${editor}`, VISUAL: `python3 ${editor}` },
    });
    expect(run.stdout, run.stderr).to.include('this would let 203.0.113.77 reach node-1');
    expect(run.stdout).to.include('- in 10.2.0.77 tcp 443').and.to.include('node-2 enforces version');
    const shown = JSON.parse(app.must('filters', 'show', 'node-2', '--json')) as {
      set: { filters: unknown[] };
    };
    expect(shown.set.filters).to.have.length(1);
  });

  it('are checked again whenever the file is saved', async () => {
    const file = narrow();
    const child = spawn(process.execPath, [
      index,
      '--dir',
      app.dir,
      'filters',
      'check',
      file,
      'node-1',
      '--watch',
      '--json',
    ]);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    try {
      await until(() => out.includes('"within":true'));
      // The watch begins when the first answer is out; what is saved before it would be seen by nobody.
      await until(() => {
        if (!out.includes('"within":false')) writeFileSync(file, readFileSync(wide()));
        return out.includes('"within":false');
      });
    } finally {
      child.kill();
    }
  });
});

/** An editor that first writes what does not fit and then what does. */
const editorScript = `
import json, sys, os
path = sys.argv[1]
mark = path + '.again'
peer = '10.2.0.77' if os.path.exists(mark) else '203.0.113.77'
action = 'deny' if os.path.exists(mark) else 'allow'
open(mark, 'w').close()
json.dump({'otherwise': 'inherit', 'filters': [{'action': action, 'direction': 'in', 'peers': [peer], 'protocol': 'tcp', 'ports': [443]}]}, open(path, 'w'))
`;

/** A person at a terminal: "e" when it does not fit, "a" when it does. */
const terminalScript = `
import os, pty, sys
seen = b''
def read(fd):
    global seen
    data = os.read(fd, 4096)
    seen += data
    if b'[e/q] ' in seen:
        seen = b''
        os.write(fd, b'e\\n')
    elif b'[a/e/q] ' in seen:
        seen = b''
        os.write(fd, b'a\\n')
    return data
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))
`;
