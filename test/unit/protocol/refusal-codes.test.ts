import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { authorityErrors } from '../../../protocol/errors/authority.js';
import { isErrorCode } from '../../../protocol/errors/index.js';
import { messageErrors } from '../../../protocol/errors/messages.js';
import { root } from '../../../scripts/run/root.js';

/** Refusals of every message, whatever command is in it; what a command itself requires stands in docs/errors.md. */
const ofEveryMessage = [
  ...Object.keys(messageErrors),
  ...Object.keys(authorityErrors),
  'too-large',
  'bad-input',
  'unknown-command',
];

describe('the codes in docs/protocol.md', () => {
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
  const named = [...page.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, code = '']) => code);

  it('name every refusal that a message can meet on the wire', () => {
    expect(ofEveryMessage.filter((code) => !named.includes(code))).to.deep.equal([]);
  });

  it('are all codes that there are, in the tables that say which check gives which', () => {
    const rows = page.split('\n').filter((row) => row.startsWith('|'));
    const checks = rows.slice(rows.findIndex((row) => /\| check +\| code/.test(row)) + 2);
    const end = checks.findIndex((row) => row.includes('what the command itself requires'));
    const codes = checks
      .slice(0, end)
      .flatMap((row) =>
        [...(row.split('|').at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code),
      )
      .filter((code) => code !== 'retryAfter');
    expect(codes.length).to.be.greaterThan(20);
    expect(codes.filter((code) => !isErrorCode(code))).to.deep.equal([]);
    const streams = named.filter((code) => code.startsWith('stream-'));
    expect(streams.filter((code) => !isErrorCode(code))).to.deep.equal([]);
  });
});
