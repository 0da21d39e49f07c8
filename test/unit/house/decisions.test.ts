import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../../../scripts/run/root.js';

describe('decision records', () => {
  it('have a number of their own each', () => {
    const numbers = readdirSync(join(root, 'docs/decisions'))
      .flatMap((name) => /^(\d{4})-[a-z0-9-]+\.md$/.exec(name)?.[1] ?? [])
      .toSorted();
    expect(numbers).to.deep.equal([...new Set(numbers)]);
  });
});
