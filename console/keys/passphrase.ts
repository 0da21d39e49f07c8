import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { ConsoleFiles } from '../daemon/files.js';
import { fromKept, keptWhere } from './kept.js';

/** A passphrase comes from a file or from a person at a terminal, never from a command line, which others can read. */
export async function passphraseFrom(file: string | undefined, question: string): Promise<Result<Secret>> {
  if (file !== undefined) return passphraseFile(file);
  if (!process.stdin.isTTY)
    return refuse('no-passphrase', 'there is no terminal to ask at; give --passphrase-file');
  return askHidden(question);
}

/** Of the key of this console: from the file that is named, from the store that keeps it, or from a person. */
export async function passphraseOf(files: ConsoleFiles, file: string | undefined): Promise<Result<Secret>> {
  if (file !== undefined) return passphraseFile(file);
  const kept = keptWhere(files);
  if (!kept.ok) return kept;
  if (!kept.value) return passphraseFrom(undefined, 'Passphrase: ');
  const found = await fromKept(files, kept.value);
  if (found.ok || !process.stdin.isTTY) return found;
  process.stderr.write(`${kept.value.kind} does not give it: ${found.refusal.detail ?? ''}\n`);
  return askHidden('Passphrase: ');
}

/** Asked twice, so that a slip does not lock the key away. */
export async function newPassphraseFrom(file: string | undefined): Promise<Result<Secret>> {
  const first = await passphraseFrom(file, 'New passphrase: ');
  if (!first.ok) return first;
  if (first.value.length < limits.passphrase_bytes_min)
    return refuse('weak-passphrase', `at least ${limits.passphrase_bytes_min} characters`);
  if (file !== undefined) return first;
  const second = await askHidden('Once more: ');
  if (!second.ok) return second;
  return first.value.equals(second.value) ? first : refuse('bad-input', 'the two passphrases differ');
}

function passphraseFile(path: string): Result<Secret> {
  const buffer = Buffer.alloc(limits.passphrase_bytes_max + 2);
  let length: number;
  try {
    const descriptor = openSync(path, 'r');
    try {
      const stat = fstatSync(descriptor);
      if (stat.isFile() && (stat.mode & 0o077) !== 0)
        return refuse('open-secret-file', `${path} has mode ${(stat.mode & 0o777).toString(8)}`);
      length = readSync(descriptor, buffer);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return refuse('not-found', messageOf(error));
  }
  while (length > 0 && (buffer[length - 1] === 0x0a || buffer[length - 1] === 0x0d)) length -= 1;
  if (length === 0 || length > limits.passphrase_bytes_max)
    return refuse('bad-input', `a passphrase has 1 to ${limits.passphrase_bytes_max} bytes`);
  const secret = Secret.take(Uint8Array.from(buffer.subarray(0, length)));
  buffer.fill(0);
  return ok(secret);
}

async function askHidden(question: string): Promise<Result<Secret>> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve) => {
    reader.once('line', (line) => {
      resolve(line === '' ? refuse('no-passphrase') : ok(Secret.take(Buffer.from(line, 'utf8'))));
      reader.close();
    });
    reader.once('SIGINT', () => reader.close());
    reader.once('close', () => {
      process.stderr.write('\n');
      resolve(refuse('no-passphrase'));
    });
  });
}
