import { createPrivateKey } from 'node:crypto';

/** A piece of a secret that is enough to know it by. */
export interface Piece {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Both halves of a key: a part of it is a leak too. */
export function piecesOfKey(name: string, bytes: Buffer): readonly Piece[] {
  const half = Math.ceil(bytes.length / 2);
  return [
    { name: `${name}, first half`, bytes: bytes.subarray(0, half) },
    { name: `${name}, second half`, bytes: bytes.subarray(half) },
  ];
}

/** Of each number that makes up a private key two pieces side by side: where lines of text are broken at 48 bytes, one of them is whole. */
export function piecesOfPair(name: string, pkcs8: Buffer): readonly Piece[] {
  const jwk = createPrivateKey({ key: pkcs8, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' });
  return (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const).flatMap((part) => {
    const bytes = Buffer.from(jwk[part] ?? '', 'base64url');
    const middle = Math.floor(bytes.length / 2);
    return [0, 24].map((at) => ({
      name: `${name}.${part}`,
      bytes: bytes.subarray(middle + at, middle + at + 24),
    }));
  });
}

/** The ways in which somebody might write bytes down. */
export function spellings(bytes: Buffer): readonly Buffer[] {
  return [bytes, Buffer.from(bytes).reverse()].flatMap((one) => {
    // Base64 of a longer text in which these bytes stand: they may begin at any of three places of a group.
    const shifted = [0, 1, 2].map((skip) =>
      one.subarray(skip, skip + 3 * Math.floor((one.length - skip) / 3)),
    );
    const texts = [
      one.toString('hex'),
      one.toString('hex').toUpperCase(),
      ...shifted.flatMap((part) => [part.toString('base64'), part.toString('base64url')]),
      [...one].join(','),
      [...one].join(', '),
    ];
    return [one, ...texts.map((text) => Buffer.from(text))];
  });
}

interface Wanted {
  readonly name: string;
  readonly spelling: Buffer;
}

const page = 4096;
const empty = Buffer.alloc(page);

/** Looks for all spellings of all pieces at once, in whatever is large. */
export class Search {
  readonly #byStart = new Map<number, Wanted[]>();
  /** A first look, at a hash of four bytes. */
  readonly #maybe = new Uint8Array(1 << 24);

  constructor(pieces: readonly Piece[]) {
    for (const { name, bytes } of pieces)
      for (const spelling of new Set(spellings(bytes))) {
        const start = spelling.readUInt32BE(0);
        this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), { name, spelling }]);
        this.#maybe[hashed(start)] = 1;
      }
  }

  /** The names of what was found, each once. */
  in(content: Buffer): readonly string[] {
    const found = new Set<string>();
    let start = 0;
    for (let at = 0; at < content.length; at += 1) {
      if (at % page === 0 && start === 0 && content.subarray(at, at + page).equals(empty)) {
        at += page - 1;
        continue;
      }
      start = ((start << 8) | (content[at] ?? 0)) >>> 0;
      if (at < 3 || this.#maybe[hashed(start)] === 0) continue;
      for (const { name, spelling } of this.#byStart.get(start) ?? [])
        if (content.subarray(at - 3, at - 3 + spelling.length).equals(spelling)) found.add(name);
    }
    return [...found];
  }
}

function hashed(start: number): number {
  return Math.imul(start, 0x9e37_79b1) >>> 8;
}
