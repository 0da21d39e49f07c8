import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FolderWatch } from '../../../console-app/dev/watch.js';
import { until } from '../../fakes/until.js';

describe('a folder that is developed in', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bmonitor-watch-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('misses no save, not even one during the first build', async () => {
    const told: string[][] = [];
    const watch = new FolderWatch(folder, async (paths) => {
      told.push([...paths]);
      if (told.length === 1) writeFileSync(join(folder, 'code.js'), 'saved meanwhile');
    });
    try {
      await watch.begin();
      await until(() => told.length === 2);
      expect(told).to.deep.equal([[], ['code.js']]);
    } finally {
      watch.close();
    }
  });
});
