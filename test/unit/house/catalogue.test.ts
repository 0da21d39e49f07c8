import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { errorCatalogue } from '../../../protocol/errors/index.js';
import { limits } from '../../../protocol/limits.js';
import { limitSources, limitsOf, shown } from '../../../scripts/docs/limits.js';
import { generatedPages } from '../../../scripts/docs/pages.js';
import { tokensOf, type Token } from './lexer.js';
import { production, read, root, sources } from './sources.js';

const catalogueFiles = /^protocol\/(errors\/|limits\.ts)/;
const words: readonly Token[] = production
  .filter((file) => !catalogueFiles.test(file))
  .flatMap((file) => tokensOf(read(file)));

describe('house: errors', () => {
  it('are all used in the sources', () => {
    const texts = new Set(words.filter(({ kind }) => kind === 'text').map(({ value }) => value));
    expect(Object.keys(errorCatalogue).filter((code) => !texts.has(code))).to.deep.equal([]);
  });

  it('are all in the catalogue when they are refused with', () => {
    const used = words.flatMap((word, at) => {
      const [next, text] = [words[at + 1], words[at + 2]];
      return word.value === 'refuse' && next?.value === '(' && text?.kind === 'text' ? [text.value] : [];
    });
    expect(used).to.not.deep.equal([]);
    expect(used.filter((code) => !Object.hasOwn(errorCatalogue, code))).to.deep.equal([]);
  });

  it('are each in one file of the catalogue only', async () => {
    const files = sources.filter((file) => /^protocol\/errors\/(?!index|entry)/.test(file));
    const modules = await Promise.all(
      files.map(async (file) => {
        const path = join(root, 'dist', file.replace(/\.ts$/, '.js'));
        return Object.values((await import(path)) as Readonly<Record<string, object>>);
      }),
    );
    const codes = modules.flat().flatMap((part) => Object.keys(part));
    expect(codes.filter((code, at) => codes.indexOf(code) !== at)).to.deep.equal([]);
    expect(new Set(codes)).to.deep.equal(new Set(Object.keys(errorCatalogue)));
  });

  it('have codes of one form, each with whole sentences of what, why and what to do', () => {
    for (const [code, entry] of Object.entries(errorCatalogue)) {
      expect(code).to.match(/^[a-z]+(-[a-z0-9]+)*$/);
      for (const sentence of [entry.what, entry.why, entry.todo])
        expect(sentence, code).to.match(/^[\p{Lu}"`0-9].{10,}[.?!]$/u);
    }
  });
});

describe('house: limits', () => {
  it('each have a reason above them and the unit in the name', () => {
    const units =
      /_(bytes|chars|ms|s|count|bits|entries|per_\w+|ratio|percent|hops|ports|pairs|depth)(_(max|min|default))?$|_(max|min)$/;
    const wrong = limitsOf(limitSources.map(read).join('\n')).filter(
      ({ name, reason }) => !units.test(name) || reason === undefined || reason.length < 15,
    );
    expect(wrong.map(({ name, reason }) => `${name}: ${reason ?? 'no reason'}`)).to.deep.equal([]);
  });

  it('are numbers that limit: positive and finite', () => {
    const wrong = Object.entries(limits).filter(([, value]) => !(Number.isFinite(value) && value > 0));
    expect(wrong).to.deep.equal([]);
  });

  it('are all used in the sources', () => {
    const names = new Set(words.filter(({ kind }) => kind === 'name').map(({ value }) => value));
    expect(Object.keys(limits).filter((name) => !names.has(name))).to.deep.equal([]);
  });

  it('are shown in the unit that is easiest to read, and exactly', () => {
    const show = (name: string, value: number): string => shown({ name, value, reason: '' });
    expect(show('frame_bytes_max', 24 * 1024 * 1024)).to.equal('24 MiB');
    expect(show('x_bytes_max', 1500)).to.equal('1,500 bytes');
    expect(show('x_ms_max', 120_000)).to.equal('2 min');
    expect(show('x_ms_max', 60_000)).to.equal('60 s');
    expect(show('x_ms_max', 1500)).to.equal('1,500 ms');
    expect(show('filters_per_set_max', 100_000)).to.equal('100,000');
  });
});

describe('house: generated pages', () => {
  it('say what the sources say; if not, run `npm run docs`', () => {
    const differ = [...generatedPages()].filter(
      ([path, text]) => !existsSync(join(root, path)) || read(path) !== text,
    );
    expect(differ.map(([path]) => `${path}: run \`npm run docs\` and commit it`)).to.deep.equal([]);
  });
});
