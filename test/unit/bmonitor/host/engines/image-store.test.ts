import { expect } from 'chai';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderImages } from '../../../../../bmonitor/host/engines/images/store.js';
import { limits } from '../../../../../protocol/limits.js';
import { ok } from '../../../../../protocol/result.js';
import { value } from '../../../../fakes/results.js';

describe('the images of a lease', () => {
  let base: string;
  let images: FolderImages;

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'bmonitor-images-'));
    images = new FolderImages(
      () => Promise.resolve(ok(join(base, 'lease'))),
      'this boot',
      () => Promise.resolve(true),
    );
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  async function taken(text: string): Promise<string> {
    const folder = mkdtempSync(join(base, 'system-'));
    writeFileSync(join(folder, 'file'), text);
    return value(await images.take('lease', { form: 'plain-folder', folder })).digest;
  }

  const placeOf = (digest: string): string => join(base, 'lease', 'images', digest.slice('sha256:'.length));

  function lastUsed(digest: string, ago_ms: number): void {
    const then_s = (Date.now() - ago_ms) / 1000;
    utimesSync(join(placeOf(digest), 'image.json'), then_s, then_s);
  }

  it('go when no engine names them and they were not used for a while', async () => {
    const [used, old, fresh] = [await taken('used'), await taken('old'), await taken('fresh')];
    for (const digest of [used, old]) lastUsed(digest, 2 * limits.image_unused_ms_max);
    await images.keepOnly('lease', new Set([used]));
    const left = value(await images.list('lease')).map(({ digest }) => digest);
    expect(left.toSorted()).to.deep.equal([used, fresh].toSorted());
    expect(existsSync(placeOf(old))).to.equal(false);
  });

  it('are stored once, however often they are taken', async () => {
    expect(await taken('same')).to.equal(await taken('same'));
    expect(value(await images.list('lease'))).to.have.length(1);
  });

  it('stay where they are when they come again, for engines run from them; what was damaged is replaced', async () => {
    const digest = await taken('same');
    const file = join(placeOf(digest), 'rootfs', 'file');
    const { ino } = statSync(file);
    await taken('same');
    expect(statSync(file).ino).to.equal(ino);
    appendFileSync(file, 'x');
    await taken('same');
    expect(statSync(file).ino).to.not.equal(ino);
    expect((await images.check('lease', digest)).ok).to.equal(true);
    expect(readdirSync(join(base, 'lease', 'images'))).to.have.length(1);
  });

  it('are not what they were when a byte, a file or the list of files was altered', async () => {
    for (const alter of [
      (place: string) => appendFileSync(join(place, 'rootfs', 'file'), 'x'),
      (place: string) => writeFileSync(join(place, 'rootfs', 'more'), ''),
      (place: string) => mkdirSync(join(place, 'rootfs', 'folder')),
      (place: string) => rmSync(join(place, 'rootfs', 'file')),
      (place: string) => {
        appendFileSync(join(place, 'files'), '["x","file",420,0,0,""]\n');
        appendFileSync(join(place, 'rootfs', 'file'), 'x');
      },
    ]) {
      const digest = await taken('well');
      expect((await images.check('lease', digest)).ok).to.equal(true);
      alter(placeOf(digest));
      const checked = await images.check('lease', digest);
      expect(checked.ok ? 'taken' : checked.refusal.code).to.equal('image-damaged');
    }
  });
});
