import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { noticedKinds } from '../../../protocol/notice.js';
import { root } from '../../../scripts/run/root.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Which page tells a stranger what these parsers take. What is in a command stands in docs/commands.md, which the build writes. */
const pages = {
  'docs/protocol.md': [
    'protocol/wire.ts',
    'protocol/request.ts',
    'protocol/reply.ts',
    'protocol/notice.ts',
    'protocol/history.ts',
    'protocol/receipt.ts',
    'protocol/unlock.ts',
    'protocol/blindness.ts',
    'protocol/node-card.ts',
    'protocol/console-card.ts',
    'protocol/question.ts',
    'bmonitor/node/duplex.ts',
  ],
  'docs/gateway.md': ['protocol/gateway/frames.ts', 'protocol/gateway/proof.ts'],
} as const;

/** The members of each `object({ … })` in a source, also of those within others. */
function membersIn(source: string): readonly string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  return [...code.matchAll(/\bobject\(\{/g)].flatMap(({ index, 0: opening }) => {
    const names: string[] = [];
    let depth = 1;
    let word = '';
    for (let at = index + opening.length; depth > 0 && at < code.length; at += 1) {
      const char = code.charAt(at);
      if ('({['.includes(char)) depth += 1;
      else if (')}]'.includes(char)) depth -= 1;
      else if (char === ':' && depth === 1) names.push(word.trim());
      word = /\w/.test(char) ? word + char : depth === 1 && /\s/.test(char) ? word : '';
    }
    return names;
  });
}

function names(page: string, word: string): boolean {
  return page.includes(`\`${word}\``) || page.includes(`"${word}"`);
}

describe('the pages from which a stranger writes a client', () => {
  for (const [path, sources] of Object.entries(pages))
    for (const source of sources)
      it(`${path} names every member that ${source} takes`, () => {
        const members = [...new Set(membersIn(read(source)))];
        expect(members.length, source).to.be.greaterThan(0);
        expect(members.filter((member) => !names(read(path), member))).to.deep.equal([]);
      });

  it('finds the members of a form, and of a form within it', () => {
    const source =
      'const a = object({ /** x: */ one: whole({ min: 1 }), two: optional(object({ three: t })) });';
    expect(membersIn(source)).to.deep.equal(['one', 'two', 'three']);
  });

  it('docs/protocol.md has every kind of text message, of statement and of envelope', () => {
    const page = read('docs/protocol.md');
    const letters = [...read('protocol/wire.ts').matchAll(/case '([A-Z]1)'/g)].map(
      ([, letter = '']) => letter,
    );
    expect(letters.length).to.be.greaterThan(4);
    expect(letters.filter((letter) => !page.includes(`\`${letter}`))).to.deep.equal([]);
    const kinds = pages['docs/protocol.md'].flatMap((source) =>
      [...read(source).matchAll(/'(bm-[a-z]+\+(?:jws|jwe))'/g)].map(([, kind = '']) => kind),
    );
    expect(kinds.length).to.be.greaterThan(8);
    expect(kinds.filter((kind) => !page.includes(kind))).to.deep.equal([]);
  });

  it('docs/protocol.md has every word that a stream says, and every kind of thing that is noticed', () => {
    const page = read('docs/protocol.md');
    expect(
      ['ack', 'gap', 'alive', 'end', 'done', 'detail'].filter((word) => !names(page, word)),
    ).to.deep.equal([]);
    expect([...noticedKinds].filter((kind) => !names(page, kind))).to.deep.equal([]);
  });

  it('docs/gateway.md has every frame with its byte', () => {
    const page = read('docs/gateway.md');
    const codes = [...read('protocol/gateway/frames.ts').matchAll(/^ {2}(\w+): 0x(\d\d),$/gm)];
    expect(codes.length).to.equal(9);
    for (const [, name, byte] of codes) expect(page).to.match(new RegExp(`^\\| ${byte} +\\| ${name} `, 'm'));
  });
});
