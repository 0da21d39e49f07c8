import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { captureOfOne } from '../fakes/capture.js';
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

  const edited = (
    editor: string,
    script: string,
    more: { readonly words?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
  ): { status: number | null; seen: string } => {
    const answers = app.file('answers.py', terminalScript);
    const command = [
      process.execPath,
      index,
      '--dir',
      app.dir,
      'filters',
      'edit',
      'group:web',
      ...(more.words ?? []),
    ];
    const EDITOR = script === '' ? editor : `${editor} ${app.file('editor.py', script)}`;
    const env = { ...process.env, ...more.env, EDITOR, VISUAL: EDITOR };
    const run = spawnSync('python3', [answers, ...command], { encoding: 'utf8', env, timeout: 120_000 });
    return { status: run.status, seen: `${run.stdout}${run.stderr}` };
  };
  const filtersOn = (name: string): unknown[] =>
    (JSON.parse(app.must('filters', 'show', name, '--json')) as { set: { filters: unknown[] } }).set.filters;

  it('are edited until they fit, proved while they are written, tried on a capture, shown, and applied, at a terminal', () => {
    const capture = app.file('seen.pcap', '');
    writeFileSync(capture, captureOfOne('10.2.0.77', '127.0.0.1', 443));
    const { status, seen } = edited('python3', editorScript, { words: ['--capture', capture] });
    expect(status, seen).to.equal(0);
    expect(seen).to.include('this would let 203.0.113.77 reach node-1');
    expect(seen).to.include('- in 10.2.0.77 tcp 443').and.to.include('node-2 enforces version');
    // The editor saw the verdict of its own save before it ended, in the file beside and in the title.
    expect(seen).to.include('the editor read: node-1: this would let 203.0.113.77 reach node-1');
    expect(seen).to.match(/\]0;node-1: this would let 203\.0\.113\.77 reach node-1 at port 443/);
    // These nodes enforce nothing and name no address, so what would become of a packet is said not to be known.
    expect(seen).to.include('not-enforced');
    expect(filtersOn('node-2')).to.have.length(1);
  });

  it('are left as they are, and what was written is named, when the editor fails, is left, or somebody else changed them meanwhile', () => {
    const before = filtersOn('node-1');
    const none = edited('/no/such/editor', '');
    expect([none.status, none.seen]).to.satisfy(
      ([code, seen]: [number, string]) => code === 1 && seen.includes('/no/such/editor did not start'),
    );
    const left = edited('python3', `${editorOf('10.2.0.78')}\nsys.exit(1)`);
    expect(left.status, left.seen).to.equal(1);
    const kept = (seen: string): string => {
      const [, file = ''] = /nothing was applied; what you wrote is in (\S+)/.exec(seen) ?? [];
      const content = readFileSync(file, 'utf8');
      rmSync(dirname(file), { recursive: true });
      return content;
    };
    expect(kept(left.seen)).to.include('10.2.0.78');
    const one = app.file(
      'one.json',
      JSON.stringify({ action: 'deny', direction: 'in', peers: ['10.2.0.80'] }),
    );
    const meanwhile = [process.execPath, index, '--dir', app.dir, 'filters', 'add', 'node-2', one];
    const late = edited('python3', editorOf('10.2.0.79'), {
      env: { MEANWHILE: JSON.stringify(meanwhile), WHEN_WRONG: 'q' },
    });
    expect(late.status, late.seen).to.equal(1);
    expect(late.seen).to.include('boundary-refused');
    expect(kept(late.seen)).to.include('10.2.0.79');
    expect(filtersOn('node-2')).to.have.length(before.length + 1);
    expect(filtersOn('node-1')).to.deep.equal(before);
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

/** An editor that first writes what does not fit, waits for what is said to that, and then, called again, writes what does. */
const editorScript = `
import json, sys, os, time
path = sys.argv[1]
mark = path + '.again'
again = os.path.exists(mark)
peer = '10.2.0.77' if again else '203.0.113.77'
json.dump({'otherwise': 'inherit', 'filters': [{'action': 'deny' if again else 'allow', 'direction': 'in', 'peers': [peer], 'protocol': 'tcp', 'ports': [443]}]}, open(path, 'w'))
verdict = os.path.join(os.path.dirname(path), 'verdict.txt')
end = time.monotonic() + 60
while not again and time.monotonic() < end:
    if os.path.exists(verdict):
        print('the editor read: ' + open(verdict).read())
        break
    time.sleep(0.02)
open(mark, 'w').close()
`;

/** An editor that writes one filter against a peer. */
const editorOf = (peer: string): string => `
import json, sys
json.dump({'otherwise': 'inherit', 'filters': [{'action': 'deny', 'direction': 'in', 'peers': ['${peer}']}]}, open(sys.argv[1], 'w'))
`;

/** A person at a terminal: "e" when it does not fit (or what the test says), "a" when it does, before which somebody else may be quicker. */
const terminalScript = `
import json, os, pty, subprocess, sys
seen = b''
misheard = False
def read(fd):
    global seen, misheard
    data = os.read(fd, 4096)
    seen += data
    if b'[e/q] ' in seen:
        seen = b''
        os.write(fd, os.environ.get('WHEN_WRONG', 'e').encode() + b'\\n')
    elif b'[a/e/q] ' in seen:
        seen = b''
        if 'MEANWHILE' in os.environ and misheard:
            subprocess.run(json.loads(os.environ['MEANWHILE']), check=True, capture_output=True)
        os.write(fd, b'a\\n' if misheard else b'what?\\n')
        misheard = True
    return data
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))
`;
