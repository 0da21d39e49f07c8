import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from 'chai';
import { capture, flags, ip, tcp } from '../../unit/bmonitor/filters/captures.js';

const command = fileURLToPath(new URL('../../../bmonitor/cli/index.js', import.meta.url));
const boundary = {
  otherwise: 'deny',
  filters: [
    {
      action: 'allow',
      direction: 'in',
      peers: ['10.0.0.0/24', '2001:db8::/32'],
      protocol: 'tcp',
      ports: [80, '8000-8100'],
    },
    { action: 'deny', peers: ['10.0.0.9'] },
  ],
};
const tenant = {
  otherwise: 'inherit',
  filters: [{ action: 'allow', direction: 'in', peers: ['node:web-1', '10.0.0.8/30'], service: 'http' }],
};

describe('bmonitor filters, as a person runs it', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bmonitor-filters-'));
    const write = (name: string, value: unknown): void =>
      writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
    write('a.json', boundary);
    write('b.json', tenant);
    write('clamped-away.json', {
      ...boundary,
      filters: [...boundary.filters, { action: 'deny', peers: ['2001:db8::/32'], service: 'http' }],
    });
    write('names.json', { 'node:web-1': ['10.0.0.7'] });
    write('bad.json', {
      otherwise: 'deny',
      filters: [boundary.filters[1], { action: 'deny', protocol: 'tcp', ports: [1, 70_000] }],
    });
    write('torn.json', '{\n  "otherwise": ');
    write('twice.json', '{"otherwise":"deny","filters":[{"action":"deny","action":"allow"}]}');
    writeFileSync(
      join(folder, 'x.pcap'),
      capture([
        ip('10.0.0.1', '10.0.0.7', 6, tcp(4000, 80, flags.syn)),
        ip('10.0.0.9', '10.0.0.7', 6, tcp(4000, 80, flags.syn)),
      ]),
    );
    writeFileSync(
      join(folder, 'x.pcapng'),
      Buffer.from('0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000', 'hex'),
    );
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function run(...args: string[]): { status: number | null; out: string; err: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'filters', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { status, out: stdout, err: stderr };
  }

  it('checks: 0 and within, 1 and a witness, 2 and the place', () => {
    const within = run('check', '--outer', 'a.json', '--inner', 'a.json', '--json');
    assert.deepEqual([within.status, JSON.parse(within.out)], [0, { within: true }]);
    const exceeds = run('check', '--outer', 'a.json', '--inner', 'b.json', '--names', 'names.json', '--json');
    assert.deepEqual(
      [exceeds.status, JSON.parse(exceeds.out)],
      [
        1,
        {
          within: false,
          witness: { direction: 'in', peer: '10.0.0.9', protocol: 'tcp', port: 80, oneway: false },
          inner: [0],
          outer: [1],
        },
      ],
    );
    const bad = run('check', '--outer', 'a.json', '--inner', 'bad.json');
    assert.equal(bad.status, 2);
    assert.include(bad.err, 'bad.json: filters[1].ports[1]');
    assert.equal(bad.out, '');
  });

  it('ends with 2 for whatever is wrong with the input or the flags', () => {
    for (const args of [
      ['check', '--outer', 'a.json', '--inner', 'none.json'],
      ['check', '--outer', 'a.json', '--inner', 'b.json'],
      ['check', '--outer', 'a.json', '--inner', 'torn.json'],
      ['check', '--outer', 'a.json', '--inner', 'twice.json'],
      ['check', '--outer', 'a.json'],
      ['check', '--outer', 'a.json', '--inner', 'a.json', '--fast'],
      ['compile', '--layers', 'b.json', '--names', 'names.json', '--address', '10.0.0.7'],
      ['compile', '--layers', 'a.json', '--address', '10.0.0.777'],
      ['explain', '--layers', 'a.json', '--address', '10.0.0.7', '--capture', 'x.pcapng'],
    ]) {
      const { status, err } = run(...args);
      assert.equal(status, 2, args.join(' '));
      assert.isNotEmpty(err);
    }
  });

  it('clamps to a set that then fits', () => {
    const clamped = run('clamp', '--outer', 'a.json', '--inner', 'b.json', '--names', 'names.json');
    assert.equal(clamped.status, 0);
    assert.include(clamped.err, 'in 10.0.0.9 tcp 80');
    writeFileSync(join(folder, 'clamped.json'), clamped.out);
    assert.equal(run('check', '--outer', 'a.json', '--inner', 'clamped.json').status, 0);
  });

  it('explains a capture line by line', () => {
    const { status, out } = run(
      'explain',
      '--layers',
      'a.json,b.json',
      '--names',
      'names.json',
      '--address',
      '10.0.0.7',
      '--capture',
      'x.pcap',
      '--json',
    );
    assert.equal(status, 0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { n: number; verdict: string; level: number; filter: number });
    assert.deepEqual(
      lines.map(({ n, verdict, level, filter }) => [n, verdict, level, filter]),
      [
        [1, 'pass', 0, 0],
        [2, 'drop', 0, 1],
      ],
    );
  });

  it('compiles to text, and draws text and an SVG', () => {
    const compiled = run(
      'compile',
      '--layers',
      'a.json',
      '--address',
      '10.0.0.7',
      '--address',
      '2001:db8::7',
    );
    assert.equal(compiled.status, 0);
    assert.include(compiled.out, 'table');
    assert.include(run('picture', '--layers', 'a.json').out, 'tcp 80');
    assert.match(run('picture', '--layers', 'a.json', '--format', 'svg').out, /^<svg[^]*<\/svg>\n$/u);
  });

  it('shows what a change allows and takes away', () => {
    const changed = run('diff', '--before', 'a.json', '--after', 'clamped-away.json', '--json');
    assert.deepEqual(JSON.parse(changed.out), {
      allowed: [],
      refused: [{ direction: 'in', oneway: false, peers: '2001:db8::/32', protocol: 'tcp', ports: '80' }],
    });
    const same = run('diff', '--before', 'a.json', '--after', 'a.json', '--json');
    assert.deepEqual(JSON.parse(same.out), { allowed: [], refused: [] });
  });
});
