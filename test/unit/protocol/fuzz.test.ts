import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseCommand } from '../../../protocol/commands.js';
import { binaryTargets } from '../../fakes/fuzz-binary.js';
import { noticeTargets } from '../../fakes/fuzz-notices.js';
import { feed, fuzzTargets } from '../../fakes/fuzz-targets.js';
import { commandInputs } from '../../fakes/fuzz-inputs.js';

describe('whatever comes in', () => {
  for (const target of [...fuzzTargets, ...binaryTargets, ...noticeTargets])
    it(`as ${target.name} is taken or refused, and nothing is thrown`, () => feed(target, 2000));

  it('reaches both ends: some commands are taken, some are refused', () => {
    const ends = new Set(fc.sample(commandInputs, 2000).map((input) => parseCommand(input, '').ok));
    expect(ends).to.deep.equal(new Set([true, false]));
  });
});
