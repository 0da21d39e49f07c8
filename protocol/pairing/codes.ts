import { digestOf, fromB64u, sha256, toB64u } from '../../crypto/bytes.js';
import { publicKeyFromJwk, type PublicKey } from '../../crypto/rsa.js';
import { ok, refuse, type Result } from '../result.js';
import type { PairingBody } from './messages.js';

export type PairingSide = 'machine' | 'console';
export type Reveal = PairingBody<'reveal'>;

/** What each side shows, and the other side's person types in. */
export interface PairingCodes {
  /** Names this pairing: a digest over both keys and nonces. */
  readonly transcript: string;
  readonly machine: string;
  readonly console: string;
}

function named(purpose: string, ...parts: readonly string[]): Uint8Array {
  // The parts are of fixed forms without zero bytes, so that no two lists give the same input.
  return sha256([purpose, ...parts].join('\0'));
}

/** Says nothing of key and nonce, and holds its side to them. */
export function commitmentOf(side: PairingSide, { key, nonce }: Reveal): string {
  return toB64u(named('bmonitor pairing commitment v1', side, key.n, key.e, nonce));
}

/** The key that was revealed, if it is what the side had committed to. */
export function revealedKey(side: PairingSide, commitment: string, reveal: Reveal): Result<PublicKey> {
  if (commitmentOf(side, reveal) !== commitment)
    return refuse('pairing-broken', `the ${side} revealed another key than it had committed to`);
  const key = publicKeyFromJwk(reveal.key);
  return key ? ok(key) : refuse('weak-key');
}

/**
 * Two codes of eight digits from what both sides revealed. Whoever stands between has to commit to keys of its own before it can know what
 * the others will reveal, so it meets either code with a chance of one in a hundred million, once for each time that a person begins.
 */
export function codesOf(machine: Reveal, console: Reveal): PairingCodes {
  const transcript = digestOf(
    named('bmonitor pairing v1', machine.key.n, machine.nonce, console.key.n, console.nonce),
  );
  return { transcript, machine: digits('machine', transcript), console: digits('console', transcript) };
}

function digits(side: PairingSide, transcript: string): string {
  const bytes = Buffer.from(named('bmonitor pairing code v1', side, transcript));
  const code = String(bytes.readBigUInt64BE(0) % 100_000_000n).padStart(8, '0');
  return `${code.slice(0, 4)} ${code.slice(4)}`;
}

/** As people type: with or without the space, or with a hyphen in its place. */
export function sameCode(shown: string, typed: string): boolean {
  const plain = (text: string): string => text.replace(/[\s-]/g, '');
  return plain(shown) === plain(typed);
}

export function freshNonce(bytes: Uint8Array): string {
  const nonce = toB64u(bytes);
  if (fromB64u(nonce)?.length !== 32) throw new Error('a nonce has 32 bytes');
  return nonce;
}
