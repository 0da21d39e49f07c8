import { createHash, randomBytes } from 'node:crypto';
import type { Result } from '../../protocol/result.js';

/** What a person or program may do through the API, each containing the one before. */
export const roles = ['view', 'operate', 'administer'] as const;
export type Role = (typeof roles)[number];

export interface Caller {
  /** As it stands in the audit. */
  readonly name: string;
  readonly role: Role;
  /** A browser sends its cookie by itself, so requests by session need proof that our own page made them. */
  readonly by: 'token' | 'session';
  /** A token may be for some areas only: the first parts of the paths behind /api/v1/. */
  readonly areas?: readonly string[];
  /** Names the session or token without giving it away. */
  readonly id: string;
  /** When the session or token ends: what is made with it does not outlive it. */
  readonly until?: number;
}

export function mayCall(caller: Role, needed: Role): boolean {
  return roles.indexOf(caller) >= roles.indexOf(needed);
}

/** The area of a path: its first part behind /api/v1/, or of what is not there, as /metrics. */
export function mayReach({ areas }: Caller, path: string): boolean {
  const [, first = '', , third = ''] = path.split('/');
  return areas === undefined || areas.includes(first === 'api' ? third : first);
}

/** What a request brings to prove who makes it. */
export interface Credentials {
  readonly token: string | undefined;
  readonly session: string | undefined;
}

export interface Access {
  authenticate(credentials: Credentials, now: number): Promise<Result<Caller>>;
  /** Whether what the caller came in with still stands: asked while an answer goes on for long. Counts as no use of it. */
  holds(caller: Caller, now: number): Promise<boolean>;
}

/** Tokens, sessions and login codes are 32 random bytes; only their digests are kept. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
