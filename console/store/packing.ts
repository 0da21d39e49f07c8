import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Entry, Revision } from './port.js';

/**
 * How a record lies on the disk: eight bytes of revision, whose first is the form, four of checksum over all the rest and the key, and the value. The database
 * below keeps no checksum that it looks at when it reads, and a disk that gives back other bytes than it was given would go unnoticed.
 */
const form = 1;
const headBytes = 12;

export function pack(key: string, revision: Revision, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(headBytes + value.length);
  bytes.writeBigUInt64BE(BigInt(revision), 0);
  bytes[0] = form;
  bytes.set(value, headBytes);
  bytes.writeUInt32BE(checksum(key, bytes), 8);
  return bytes;
}

export function unpack(key: string, bytes: Uint8Array): Result<Entry> {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (record.length < headBytes || record[0] !== form || record.readUInt32BE(8) !== checksum(key, record))
    return refuse('store-unreadable', `the record ${JSON.stringify(key)} is not as it was written`);
  const revision = Number(record.readBigUInt64BE(0) & 0x00ff_ffff_ffff_ffffn);
  return ok({ key, value: Uint8Array.from(record.subarray(headBytes)), revision });
}

function checksum(key: string, record: Buffer): number {
  return crc32(record.subarray(headBytes), crc32(record.subarray(0, 8), crc32(key)));
}

/**
 * A sum over which keys there are and at which revision each was written. It is kept with each write, so that a record that is missing, or came back in an
 * older state, shows when the store is opened.
 */
export class Sum {
  #value: bigint;

  constructor(value = 0n) {
    this.#value = value;
  }

  get value(): bigint {
    return this.#value;
  }

  add(key: string, revision: Revision): void {
    this.#value = BigInt.asUintN(64, this.#value + part(key, revision));
  }

  remove(key: string, revision: Revision): void {
    this.#value = BigInt.asUintN(64, this.#value - part(key, revision));
  }
}

function part(key: string, revision: Revision): bigint {
  return createHash('sha256').update(`${revision} ${key}`).digest().readBigUInt64BE(0);
}
