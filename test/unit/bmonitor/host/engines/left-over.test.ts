import { expect } from 'chai';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepOnly } from '../../../../../bmonitor/host/engines/bundle.js';

describe('what a crash left of engines that were removed', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bmonitor-left-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('goes with all that they wrote, and no other engine’s does, nor that of one made just now', async () => {
    for (const id of ['kept', 'gone', 'new'])
      mkdirSync(join(folder, 'engines', id, 'logs'), { recursive: true });
    for (const id of ['kept', 'gone']) utimesSync(join(folder, 'engines', id), 1, 1);
    await keepOnly(folder, new Set(['kept']));
    expect(readdirSync(join(folder, 'engines')).toSorted()).to.deep.equal(['kept', 'new']);
  });

  it('may be nothing: a lease without engines has no such folder', async () => {
    await keepOnly(folder, new Set());
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
