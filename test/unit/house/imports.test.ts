import { expect } from 'chai';
import { importsOf } from './imports.js';
import { breachesOf, mayImport, roomOf } from './rooms.js';
import { packages, production, read, sources } from './sources.js';

const found = (source: string): unknown[] => importsOf(source).map(({ target, line }) => [target, line]);

describe('house: imports', () => {
  it('point one way', () => {
    const breaches = sources.flatMap((file) => breachesOf(file, read(file), packages));
    expect(breaches.map(({ file, line, why }) => `${file}:${line}: ${why}`)).to.deep.equal([]);
  });

  it('are all in rooms of the house', () => {
    expect(production.filter((file) => mayImport[roomOf(file)] === undefined)).to.deep.equal([]);
  });

  it('are found in every form that TypeScript has', () => {
    const source = [
      "import a from './a.js';",
      "import type { b } from './b.js';",
      "import { type c, c2 as d } from './c.js';",
      "import './d.js';",
      "export * from './e.js';",
      "export * as f from './f.js';",
      "export type { g } from './g.js';",
      "const h = await import('./h.js');",
      "type I = typeof import('./i.js');",
      'const j = await import(name);',
      'const k = await import(`./${name}.js`);',
      "const l = require('./l.js');",
      'import {',
      '  m,',
      "} from './m.js';",
      "const n = `${await import('./n.js')}`;",
      "import o from './o.json' with { type: 'json' };",
      "await import(/* why */ './p.js', { with: { type: 'json' } });",
    ].join('\n');
    expect(found(source)).to.deep.equal([
      ['./a.js', 1],
      ['./b.js', 2],
      ['./c.js', 3],
      ['./d.js', 4],
      ['./e.js', 5],
      ['./f.js', 6],
      ['./g.js', 7],
      ['./h.js', 8],
      ['./i.js', 9],
      [undefined, 10],
      [undefined, 11],
      ['./l.js', 12],
      ['./m.js', 15],
      ['./n.js', 16],
      ['./o.json', 17],
      ['./p.js', 18],
    ]);
  });

  it('are not seen where the same letters are a comment, a text or a pattern', () => {
    const source = [
      "// import a from './a.js'",
      "/* import b from './b.js' */",
      'const text = "import c from \'./c.js\'";',
      "const pattern = /import d from '.\\/d.js'/;",
      "const template = `import e from './e.js'`;",
      "x.import('./f.js'); y.from('./g.js'); z = 4 / 2; import.meta.url;",
      "Array.from('abc'); const from = 'h';",
    ].join('\n');
    expect(found(source)).to.deep.equal([]);
  });

  const wrong: readonly (readonly [file: string, source: string, why: string])[] = [
    ['crypto/a.ts', "import type { X } from '../protocol/x.js';", 'crypto may import from nothing of ours'],
    ['protocol/a.ts', "import '../bmonitor/ports/clock.js';", 'not from bmonitor/ports'],
    ['bmonitor/keys/a.ts', "import { x } from '../filters/x.js';", 'not from bmonitor/filters'],
    ['bmonitor/keys/a.ts', "import { x } from '../host/x.js';", 'not from bmonitor/host'],
    ['bmonitor/node/a.ts', "const x = await import('../host/x.js');", 'not from bmonitor/host'],
    ['bmonitor/host/a.ts', "export * from '../keys/x.js';", 'not from bmonitor/keys'],
    ['bmonitor/cli/a.ts', "import { x } from '../host/x.js';", 'not from bmonitor/host'],
    ['console/a.ts', "import { x } from '../bmonitor/node/x.js';", 'not from bmonitor/node'],
    ['console-app/a.ts', "import { x } from '../console-cluster/x.js';", 'not from console-cluster'],
    ['console/a.ts', "import { x } from '../console-app/x.js';", 'not from console-app'],
    ['crypto/a.ts', "import { x } from '../test/x.js';", 'not from test'],
    ['crypto/a.ts', "import { x } from './x';", 'lacks its .js'],
    ['crypto/a.ts', "import fs from 'fs';", 'node:fs'],
    ['crypto/a.ts', "import { expect } from 'chai';", 'chai is a development dependency'],
    ['crypto/a.ts', "import x from 'left-pad/x';", 'left-pad is not in package.json'],
    ['crypto/a.ts', 'await import(name);', 'computed'],
    ['attic/a.ts', "import { x } from '../crypto/x.js';", 'attic is no room of the house'],
    ['bmonitor/utils/a.ts', "import { x } from '../../crypto/x.js';", 'bmonitor/utils is no room'],
    ['console-app/page/a.ts', "import { x } from 'node:fs';", 'a page cannot use node:fs'],
  ];
  for (const [file, source, why] of wrong) {
    it(`are refused: ${file} with ${source}`, () => {
      const breaches = breachesOf(file, `\n${source}\n`, packages);
      expect(breaches).to.have.length(1);
      expect(breaches[0]).to.include({ file, line: 2 });
      expect(breaches[0]?.why).to.include(why);
    });
  }

  const right: readonly (readonly [file: string, source: string])[] = [
    ['protocol/a.ts', "import { x } from '../crypto/x.js'; import { y } from './errors/y.js';"],
    ['bmonitor/keys/a.ts', "import { x } from '../ports/x.js'; import '../../protocol/x.js';"],
    ['bmonitor/node/a.ts', "import { x } from '../keys/x.js'; import '../filters/x.js';"],
    ['bmonitor/main.ts', "import { x } from './host/x.js'; import './node/x.js';"],
    ['bmonitor/cli/a.ts', "import { x } from '../main.js'; import '../keys/x.js';"],
    ['console-app/a.ts', "import { x } from '../console/x.js'; import '../bmonitor/filters/x.js';"],
    ['scripts/a.ts', "import { x } from '../test/facility/bed/index.js'; await import(name);"],
    ['test/unit/a.ts', "import { expect } from 'chai'; import 'node:fs'; import '../../bmonitor/host/x.js';"],
  ];
  for (const [file, source] of right) {
    it(`are accepted: ${file} with ${source}`, () => {
      expect(breachesOf(file, source, packages)).to.deep.equal([]);
    });
  }
});
