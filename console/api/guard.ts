import { isIP } from 'node:net';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Caller } from './access.js';

export interface Headers {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/** On every answer. The API is never kept by a cache, and no page of ours runs a script that is not a file of ours. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/**
 * A page of another site can have its own name resolve to our address (DNS rebinding) and then speak to us as itself. The
 * Host header still carries its name, so only names that we were told are ours, and plain addresses, are answered.
 */
export function checkHost(host: string | undefined, names: readonly string[]): Result<true> {
  const name = hostName(host ?? '');
  if (name !== undefined && (isIP(name) !== 0 || name === 'localhost' || names.includes(name)))
    return ok(true);
  return refuse('wrong-host', `the Host header names ${JSON.stringify(host ?? '')}`);
}

function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/**
 * A browser sends our cookie along with requests that other sites make. So a request by session that changes something has
 * to come from our own origin, which browsers say in headers that a script cannot set.
 */
export function checkOrigin(caller: Caller, method: string, headers: Headers): Result<true> {
  if (caller.by === 'token' || method === 'GET') return ok(true);
  const { origin, host } = headers;
  const sameOrigin = origin !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  const site = headers['sec-fetch-site'];
  if (sameOrigin && (site === undefined || site === 'same-origin')) return ok(true);
  return refuse('cross-site', `from ${JSON.stringify(origin ?? 'no origin')}`);
}
