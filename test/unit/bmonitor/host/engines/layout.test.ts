import { expect } from 'chai';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { unpackImage } from '../../../../../bmonitor/host/engines/images/import.js';
import { digestOfLayout, ociLayout, tarOf } from '../../../../facility/engines/oci.js';

describe('an image in the OCI layout from somebody else', () => {
  let base: string;
  const made: string[] = [];

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'bmonitor-layout-'));
    mkdirSync(join(base, 'work'));
  });
  afterEach(() => {
    for (const folder of [base, ...made.splice(0)]) rmSync(folder, { recursive: true, force: true });
  });

  function layer(files: Readonly<Record<string, string>>): Buffer {
    const folder = mkdtempSync(join(base, 'layer-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return tarOf(folder);
  }

  function layout(...layers: readonly Buffer[]): string {
    const folder = ociLayout(layers);
    made.push(folder);
    return folder;
  }

  const blobs = (folder: string): readonly string[] =>
    readdirSync(join(folder, 'blobs', 'sha256')).map((name) => join(folder, 'blobs', 'sha256', name));
  const isGzip = (file: string): boolean => readFileSync(file).subarray(0, 2).toString('hex') === '1f8b';

  async function outcome(folder: string): Promise<string> {
    const result = await unpackImage({ form: 'oci-folder', folder }, join(base, 'work'));
    return result.ok ? result.value.digest : result.refusal.code;
  }

  it('is taken when all is as its digests say, with what later layers took away', async () => {
    const folder = layout(
      layer({ 'a/one': '1', 'a/two': '2', 'b/three': '3', 'b/four': '4' }),
      layer({ 'a/.wh.one': '', 'b/.wh..wh..opq': '', 'b/five': '5' }),
    );
    expect(await outcome(folder)).to.equal(digestOfLayout(folder));
    const at = (name: string): boolean => existsSync(join(base, 'work', 'rootfs', name));
    expect(['a/one', 'a/two', 'b/three', 'b/four', 'b/five'].filter(at)).to.deep.equal(['a/two', 'b/five']);
  });

  it('takes nothing away above itself, whatever a whiteout names', async () => {
    mkdirSync(join(base, 'work', 'kept'));
    const tar = layer({ 'a/one': '1' });
    const up = layer({ 'x/.wh...': '', '.wh...': '', '.wh..': '' });
    await outcome(layout(tar, up));
    expect(existsSync(join(base, 'work', 'kept'))).to.equal(true);
    expect(existsSync(base)).to.equal(true);
  });

  it('is refused when bytes hide behind the name of a whiteout', async () => {
    expect(await outcome(layout(layer({ '.wh.file': 'x'.repeat(10_000) })))).to.equal('image-refused');
  });

  it('is refused when any document or layer is not what its digest says', async () => {
    const count = blobs(layout(layer({ file: 'x' }))).length;
    for (let at = 0; at < count; at += 1) {
      const folder = layout(layer({ file: 'x' }));
      const file = blobs(folder)[at] ?? '';
      const packed = isGzip(file);
      const text = readFileSync(file);
      writeFileSync(file, packed ? gzipSync(layer({ file: 'y' })) : Buffer.concat([text, Buffer.from(' ')]));
      rmSync(join(base, 'work'), { recursive: true });
      mkdirSync(join(base, 'work'));
      expect(await outcome(folder), file).to.equal('image-refused');
    }
  });

  it('is refused when a link stands in the place of a document or a layer, wherever it leads', async () => {
    for (const packed of [true, false])
      for (const target of ['/etc/passwd', '/dev/zero', 'same']) {
        const folder = layout(layer({ file: 'x' }));
        const file = blobs(folder).find((one) => isGzip(one) === packed) ?? '';
        const moved = join(base, 'moved');
        writeFileSync(moved, readFileSync(file));
        rmSync(file);
        symlinkSync(target === 'same' ? moved : target, file);
        rmSync(join(base, 'work'), { recursive: true });
        mkdirSync(join(base, 'work'));
        expect(await outcome(folder), `${target} ${packed}`).to.equal('image-refused');
      }
  });

  it('keeps nothing of what stands behind the end of its archive, however much that is', async () => {
    const header = layer({ file: 'x' }).subarray(0, 512 * 3);
    const bomb = Buffer.concat([header, Buffer.alloc(64 * 1024 * 1024)]);
    const folder = layout(bomb);
    // It is a whole archive with very much behind its end: known by its digest, read to its end, and nothing of it kept.
    expect(await outcome(folder)).to.equal(digestOfLayout(folder));
    expect(readdirSync(join(base, 'work', 'rootfs'))).to.deep.equal(['file']);
  });
});
