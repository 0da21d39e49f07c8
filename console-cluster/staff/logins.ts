import { randomBytes } from 'node:crypto';
import { newToken, tokenDigest } from '../../console/api/access.js';
import { toB64u } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Between two steps of a login, an invitation or a new passkey: what was asked, and of whom. */
export interface Pending {
  readonly name: string;
  readonly purpose: 'login' | 'invitation' | 'passkey';
  readonly challenge: string;
  /** The secret offered to an authenticator that is being set up, and the code of the invitation. */
  readonly totp?: Secret;
  readonly code?: string;
}

/**
 * INVARIANTS:
 * - A ticket serves for its purpose only, for a few minutes and a few tries, and is gone once it served.
 * - Only digests of tickets are kept.
 */
export class Tickets {
  readonly #tickets = new Map<string, { pending: Pending; until: number; tries: number }>();

  make(pending: Omit<Pending, 'challenge'>, now: number): { ticket: string; pending: Pending } {
    const ticket = newToken();
    const whole = { ...pending, challenge: toB64u(randomBytes(32)) };
    this.#tickets.set(tokenDigest(ticket), {
      pending: whole,
      until: now + limits.login_ticket_ms_max,
      tries: 0,
    });
    for (const oldest of this.#tickets.keys()) {
      if (this.#tickets.size <= limits.login_tickets_max) break;
      this.#drop(oldest);
    }
    return { ticket, pending: whole };
  }

  /** Each look is a try. */
  look(ticket: string, purpose: Pending['purpose'], now: number): Result<Pending> {
    const id = tokenDigest(ticket);
    const found = this.#tickets.get(id);
    if (found) found.tries += 1;
    if (!found || found.pending.purpose !== purpose || found.until <= now) {
      this.#drop(id);
      return refuse('not-authenticated', 'too much time has passed; begin again');
    }
    if (found.tries > limits.login_tries_max) {
      this.#drop(id);
      return refuse('not-authenticated', 'too many tries; begin again');
    }
    return ok(found.pending);
  }

  /** Whether it would still serve; not a try. */
  stands(ticket: string): boolean {
    return this.#tickets.has(tokenDigest(ticket));
  }

  /** What this person began is over. */
  dropOf(name: string): void {
    for (const [id, { pending }] of this.#tickets) if (pending.name === name) this.#drop(id);
  }

  use(ticket: string): void {
    this.#drop(tokenDigest(ticket));
  }

  #drop(id: string): void {
    this.#tickets.get(id)?.pending.totp?.wipe();
    this.#tickets.delete(id);
  }
}

export function newTotpSecret(): Secret {
  return Secret.take(randomBytes(20));
}
