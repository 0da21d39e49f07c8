import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { authorityErrors } from '../../../protocol/errors/authority.js';
import { keyErrors } from '../../../protocol/errors/keys.js';
import { root } from '../../../scripts/run/root.js';

const deciding = ['consoles', 'keys', 'leases', 'measurement', 'reencrypt', 'transfer'];

function testSources(): readonly { readonly file: string; readonly text: string }[] {
  const folder = join(root, 'test');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('house/refusals.test.ts'))
    .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));
}

/** Every code with which a rule of these files refuses. */
function refusedIn(file: string): readonly string[] {
  const text = readFileSync(join(root, 'bmonitor/node/decide', `${file}.ts`), 'utf8');
  return [...text.matchAll(/refuse\(\s*'([a-z-]+)'/g)].map(([, code = '']) => code);
}

describe('house: refusals of keys and leases', () => {
  it('are each expected by a test, those of authority and those of each rule', () => {
    const codes = new Set([
      ...Object.keys(authorityErrors),
      ...Object.keys(keyErrors),
      ...deciding.flatMap(refusedIn),
    ]);
    const tests = testSources()
      .map(({ text }) => text)
      .join('\n');
    const never = [...codes].filter((code) => !new RegExp(`['"\`/^(|]${code}['"\`/:|)$]`).test(tests));
    expect(never, 'no test expects these').to.deep.equal([]);
    expect(codes.size).to.be.greaterThan(25);
  });
});

/** What an adversary does to the secrets at rest, and the words of the test in which it is played. */
const attacks: readonly (readonly [attack: string, test: RegExp])[] = [
  ['the disk is rolled back after a lease ended', /older than the end of a lease/],
  ['the TPM is cleared', /once the TPM was cleared/],
  ['something else was measured', /when something else was measured/],
  ['the blob is moved to another TPM', /gives nothing on another machine, whoever brings the disk/],
  ['another system is booted', /gives nothing to another system started on the same machine/],
  ['an update is signed by only one level', /signed by only one level opens nothing/],
  ['a share was recorded', /a recorded share opens nothing/],
  ['a whole node is stolen', /opens nothing of the data of a tenant whose share is outstanding/],
];

describe('house: attacks on secrets at rest', () => {
  it('are each played in a test whose name says so', () => {
    const names = testSources().flatMap(({ text }) =>
      [...text.matchAll(/\bit\(\s*['"`]([^\n]*)/g)].map(([, name = '']) => name),
    );
    const unplayed = attacks.filter(([, test]) => !names.some((name) => test.test(name)));
    expect(unplayed.map(([attack]) => attack)).to.deep.equal([]);
  });
});
