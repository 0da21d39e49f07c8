import { ok, refuse, type Result } from '../../../../protocol/result.js';

/** Reads tar as it comes: ustar, with the extensions of POSIX (pax) and GNU for long names. Writes nothing. */
export type TarKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';

export interface TarEntry {
  readonly kind: TarKind;
  readonly path: string;
  /** What a link leads to. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime_s: number;
}

const block = 512;
/** Names and links of up to 4096 characters, and some attributes that are not used. */
const extension_bytes_max = 1024 * 1024;

const kinds: Readonly<Record<string, TarKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

/** Bytes in the order in which they come, however they were cut. */
class Intake {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  #cut = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** What was asked for last began, and did not come whole. */
  get cut(): boolean {
    return this.#cut;
  }

  /** At most so many bytes, and none only at the end. */
  async some(most: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return Buffer.alloc(0);
      this.#held = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    const piece = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(piece.length);
    return piece;
  }

  /** Exactly so many; undefined when the archive ends before. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const piece = await this.some(missing);
      if (piece.length === 0) {
        this.#cut = pieces.length > 0;
        return undefined;
      }
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }
}

/** The bytes of an entry; what is not read of them is skipped. */
export type TarBody = () => AsyncIterable<Buffer>;

/** Hands over entry by entry; a refusal of who takes one ends it. */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  take: (entry: TarEntry, body: TarBody) => Promise<Result<void>>,
): Promise<Result<void>> {
  const intake = new Intake(source);
  let extended: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const header = await intake.exactly(block);
    // Some writers leave out the two empty blocks at the end.
    if (!header) return intake.cut ? bad('the archive is cut short') : ok(undefined);
    if (header.every((byte) => byte === 0)) return ok(undefined);
    const plain = entryOf(header);
    if (!plain.ok) return plain;
    const type = String.fromCharCode(header[156] ?? 0);
    const { size } = plain.value;
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (size > extension_bytes_max) return bad('a header is too long');
      const bytes = await intake.exactly(padded(size));
      if (!bytes) return bad('the archive is cut short');
      const more = extensionOf(type, bytes.subarray(0, size));
      if (!more.ok) return more;
      // What holds for all entries of an archive is nothing that names or places one.
      if (type !== 'g') extended = new Map([...extended, ...more.value]);
      continue;
    }
    const entry = withExtension(plain.value, extended);
    if (!entry.ok) return entry;
    extended = new Map();
    let left = entry.value.size;
    const body = async function* (): AsyncGenerator<Buffer> {
      while (left > 0) {
        const piece = await intake.some(left);
        if (piece.length === 0) return;
        left -= piece.length;
        yield piece;
      }
    };
    const taken = await take(entry.value, body);
    if (!taken.ok) return taken;
    for await (const _ of body());
    if (left > 0) return bad('the archive is cut short');
    const padding = padded(entry.value.size) - entry.value.size;
    if (padding > 0 && !(await intake.exactly(padding))) return bad('the archive is cut short');
  }
}

function bad(detail: string): Result<never> {
  return refuse('image-refused', detail);
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

function entryOf(header: Buffer): Result<TarEntry> {
  if (checksum(header) !== number(header, 148, 8)) return bad('it is not a tar archive, or is damaged');
  const prefix = header.toString('latin1', 257, 262) === 'ustar' ? text(header, 345, 155) : '';
  const name = text(header, 0, 100);
  const numbers = {
    mode: number(header, 100, 8),
    uid: number(header, 108, 8),
    gid: number(header, 116, 8),
    size: number(header, 124, 12),
    mtime_s: number(header, 136, 12),
  };
  const { mode, uid, gid, size, mtime_s } = numbers;
  if (mode === undefined || uid === undefined || gid === undefined || size === undefined)
    return bad(`${name}: a number in its header cannot be read`);
  const kind = kinds[String.fromCharCode(header[156] ?? 0)] ?? 'other';
  return ok({
    kind,
    path: prefix === '' ? name : `${prefix}/${name}`,
    target: text(header, 157, 100),
    mode: mode & 0o7777,
    uid,
    gid,
    // Links have no bytes, whatever some writers put there.
    size: kind === 'symlink' || kind === 'hardlink' || kind === 'directory' ? 0 : size,
    mtime_s: mtime_s ?? 0,
  });
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (const [at, byte] of header.entries()) sum += at >= 148 && at < 156 ? 32 : byte;
  return sum;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

/** Octal, or for large numbers GNU's binary form, which the first bit announces. */
function number(header: Buffer, at: number, length: number): number | undefined {
  const field = header.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = BigInt((field[0] ?? 0) & 0x7f);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
  }
  const digits = field
    .toString('latin1')
    .replace(/[\0 ]+$/u, '')
    .trim();
  if (digits === '') return 0;
  return /^[0-7]+$/u.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function extensionOf(type: string, bytes: Buffer): Result<ReadonlyMap<string, string>> {
  const name = type === 'L' ? 'path' : type === 'K' ? 'linkpath' : undefined;
  if (name !== undefined) return ok(new Map([[name, bytes.toString('utf8').replace(/\0+$/u, '')]]));
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    const end = at + length;
    if (space === -1 || !Number.isSafeInteger(length) || end > bytes.length || end <= space + 1)
      return bad('an extended header cannot be read');
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 1) return bad('an extended header cannot be read');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return ok(records);
}

function withExtension(entry: TarEntry, extended: ReadonlyMap<string, string>): Result<TarEntry> {
  const numeral = (name: string): number | undefined => {
    const given = extended.get(name);
    return given === undefined ? undefined : Number(given);
  };
  const next = {
    ...entry,
    path: extended.get('path') ?? entry.path,
    target: extended.get('linkpath') ?? entry.target,
    uid: numeral('uid') ?? entry.uid,
    gid: numeral('gid') ?? entry.gid,
    size: entry.kind === 'file' ? (numeral('size') ?? entry.size) : entry.size,
    mtime_s: Math.floor(numeral('mtime') ?? entry.mtime_s),
  };
  const numbers = [next.uid, next.gid, next.size];
  if (extended.has('GNU.sparse.major') || extended.has('GNU.sparse.map'))
    return bad(`${next.path}: sparse files are not unpacked`);
  return numbers.every((one) => Number.isSafeInteger(one) && one >= 0)
    ? ok(next)
    : bad(`${next.path}: a number in its header cannot be read`);
}
