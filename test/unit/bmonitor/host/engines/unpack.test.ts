import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackImage } from '../../../../../bmonitor/host/engines/images/import.js';

interface Made {
  readonly path: string;
  readonly type?: string;
  readonly target?: string;
  readonly body?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly size?: number;
}

/** An archive as an attacker would write it: nothing in it is what a tool would make. */
function tar(...entries: readonly Made[]): Buffer {
  const blocks: Buffer[] = [];
  for (const {
    path,
    type = '0',
    target = '',
    body = '',
    mode = 0o644,
    uid = process.getuid?.() ?? 0,
    size,
  } of entries) {
    const header = Buffer.alloc(512);
    header.write(path, 0, 100);
    const octal = (value: number, at: number, length: number): void =>
      void header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
    octal(mode, 100, 8);
    octal(uid, 108, 8);
    octal(process.getgid?.() ?? 0, 116, 8);
    octal(size ?? Buffer.byteLength(body), 124, 12);
    octal(0, 136, 12);
    header.write(type, 156, 'latin1');
    header.write(target, 157, 100);
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(' ', 148, 156);
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    );
    blocks.push(header, Buffer.from(body), Buffer.alloc((512 - (Buffer.byteLength(body) % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('unpacking an image', () => {
  let base: string;
  let work: string;

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'bmonitor-unpack-'));
    work = join(base, 'work');
    mkdirSync(work);
    mkdirSync(join(base, 'outside'));
    writeFileSync(join(base, 'outside', 'secret'), 'secret');
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  const unpack = (bytes: Buffer, piece = 700) =>
    unpackImage({ form: 'plain-archive', bytes: inPieces(bytes, piece) }, work);

  async function refused(...entries: readonly Made[]): Promise<string> {
    rmSync(work, { recursive: true });
    mkdirSync(work);
    const result = await unpack(tar(...entries));
    expect(readFileSync(join(base, 'outside', 'secret'), 'utf8')).to.equal('secret');
    expect(existsSync(join(base, 'evil')), 'nothing outside').to.equal(false);
    expect(existsSync(join(base, 'outside', 'evil')), 'nothing outside').to.equal(false);
    return result.ok ? '' : result.refusal.code;
  }

  it('gives what was packed, however the bytes come', async () => {
    const archive = tar(
      { path: './', type: '5', mode: 0o755 },
      { path: './a/', type: '5', mode: 0o755 },
      { path: './a/file', body: 'hello' },
      { path: './a/link', type: '2', target: 'file' },
      { path: './a/hard', type: '1', target: './a/file' },
    );
    const digests: string[] = [];
    for (const piece of [1, 511, 513, 100_000]) {
      rmSync(work, { recursive: true });
      mkdirSync(work);
      const result = await unpack(archive, piece);
      if (!result.ok) return expect.fail(result.refusal.detail ?? '');
      digests.push(result.value.digest);
    }
    expect(new Set(digests).size).to.equal(1);
    expect(readFileSync(join(work, 'rootfs', 'a', 'hard'), 'utf8')).to.equal('hello');
    expect(readlinkSync(join(work, 'rootfs', 'a', 'link'))).to.equal('file');
  });

  it('reads what GNU tar writes, with names longer than a header has room for', async () => {
    const long = 'n'.repeat(90);
    const from = join(base, 'from');
    mkdirSync(join(from, long, long), { recursive: true });
    writeFileSync(join(from, long, long, 'file'), 'deep');
    for (const format of ['gnu', 'pax']) {
      rmSync(work, { recursive: true });
      mkdirSync(work);
      const result = await unpack(execFileSync('tar', ['-C', from, `--format=${format}`, '-cf', '-', '.']));
      expect(result.ok, format).to.equal(true);
      expect(readFileSync(join(work, 'rootfs', long, long, 'file'), 'utf8')).to.equal('deep');
    }
  });

  it('refuses paths that lead out', async () => {
    for (const path of ['../evil', 'a/../../evil', '/../evil', '..'])
      expect(await refused({ path, body: 'x' }), path).to.equal('image-refused');
  });

  it('takes an absolute path for one inside the image', async () => {
    expect(await refused({ path: '/evil', body: 'x' })).to.equal('');
    expect(existsSync(join(work, 'rootfs', 'evil'))).to.equal(true);
  });

  it('follows links of the archive inside the image only, as the engine would see them', async () => {
    const outside = join(base, 'outside');
    for (const target of [outside, '../../outside', `../../../../../../${outside}`]) {
      await refused(
        { path: 'way', type: '2', target },
        { path: 'way/evil', body: 'x' },
        { path: 'way/secret', body: 'x' },
      );
    }
  });

  it('lets links that are in use be followed: bin to usr/bin', async () => {
    const made = await refused(
      { path: 'usr/bin/', type: '5', mode: 0o755 },
      { path: 'bin', type: '2', target: 'usr/bin' },
      { path: 'bin/tool', body: 'x' },
    );
    expect(made).to.equal('');
    expect(lstatSync(join(work, 'rootfs', 'usr', 'bin', 'tool')).isFile()).to.equal(true);
  });

  it('never writes through a link that takes the place of a file, nor through a hard link', async () => {
    await refused(
      { path: 'f', type: '2', target: join(base, 'outside', 'secret') },
      { path: 'f', body: 'x' },
    );
    const linked = [
      { path: 'f', body: 'one' },
      { path: 'g', type: '1', target: 'f' },
      { path: 'g', body: 'two' },
    ];
    expect(await refused(...linked)).to.equal('');
    expect(readFileSync(join(work, 'rootfs', 'f'), 'utf8')).to.equal('one');
  });

  it('refuses hard links to what is no file of the image', async () => {
    const secret = join(base, 'outside', 'secret');
    for (const target of [secret, '../../outside/secret', 'missing', '..'])
      expect(await refused({ path: 'g', type: '1', target }), target).to.equal('image-refused');
    expect(
      await refused({ path: 'l', type: '2', target: secret }, { path: 'g', type: '1', target: 'l' }),
    ).to.equal('image-refused');
  });

  it('refuses devices, pipes and links that go round', async () => {
    for (const type of ['3', '4', '6']) expect(await refused({ path: 'd', type })).to.equal('image-refused');
    const round = [
      { path: 'a', type: '2', target: 'b' },
      { path: 'b', type: '2', target: 'a' },
      { path: 'a/x', body: 'x' },
    ];
    expect(await refused(...round)).to.equal('image-refused');
  });

  it('refuses owners outside the engine’s ids', async () => {
    expect(await refused({ path: 'f', body: 'x', uid: 70_000 })).to.equal('image-refused');
  });

  it('refuses a size that is not there, and more than may be', async () => {
    expect(await refused({ path: 'f', body: 'x', size: 5000 })).to.equal('image-refused');
    expect(await refused({ path: 'f', body: 'x', size: 0o77777777777 })).to.be.oneOf([
      'image-refused',
      'too-large',
    ]);
  });

  it('refuses rubbish', async () => {
    for (const bytes of [
      Buffer.alloc(1024, 7),
      Buffer.from('not tar'),
      tar({ path: 'f', body: 'x' }).subarray(0, 600),
    ]) {
      rmSync(work, { recursive: true });
      mkdirSync(work);
      const result = await unpack(bytes);
      expect(result.ok).to.equal(false);
    }
  });
});
