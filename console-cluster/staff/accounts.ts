import { randomBytes, randomInt } from 'node:crypto';
import { newToken, tokenDigest, type Role } from '../../console/api/access.js';
import type { Vault } from '../../console/daemon/vault.js';
import type { KeyStore } from '../../console/store/port.js';
import { Records, type Stored } from '../../console/store/records.js';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { Secret } from '../../crypto/secret.js';
import { stretch } from '../../crypto/stretch.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { accountForm, invited, type Account } from './account.js';
import { checkPasskey, type Ceremony, type KeptPasskey, type UsedPasskey } from './passkey.js';
import { totpMatches } from './totp.js';

/** What a person brings beside the password. */
export type SecondFactor =
  | { readonly kind: 'totp'; readonly code: string }
  | { readonly kind: 'passkey'; readonly used: UsedPasskey; readonly ceremony: Ceremony }
  | { readonly kind: 'recovery'; readonly code: string };

/**
 * The accounts of the staff.
 *
 * INVARIANTS:
 * - A change is written against the revision that was read, so two changes at once cannot undo each other, and a code or a step of an
 *   authenticator is used up before anybody is let in by it.
 * - At most `password_checks_max` passwords are stretched at once, so that guesses cannot exhaust the memory.
 */
export class Accounts {
  readonly #records: Records<Account>;
  readonly #vault: Vault;
  readonly #queue = new Queue(limits.password_checks_max, limits.password_checks_waiting_max);

  constructor(store: KeyStore, vault: Vault) {
    this.#records = new Records(store, 'account/', accountForm);
    this.#vault = vault;
  }

  async all(): Promise<Result<readonly Account[]>> {
    const all = await this.#records.all();
    return all.ok ? ok(all.value.map(({ value }) => value)) : all;
  }

  async get(name: string): Promise<Result<Account>> {
    const found = await this.#records.get(name);
    return found.ok ? ok(found.value.value) : found;
  }

  /** Answers the code of the invitation, which is shown once. */
  async invite(name: string, role: Role, now: number): Promise<Result<string>> {
    // The audit calls others so: a person of that name would be taken for them.
    if (notForPeople.includes(name))
      return refuse('bad-input', `${name} is not a name for a person`, { where: 'name' });
    const found = await this.#records.get(name);
    if (found.ok && found.value.value.state !== 'closed')
      return refuse('already-there', `the account ${name}`);
    if (!found.ok && found.refusal.code !== 'not-found') return found;
    const all = await this.#records.all();
    if (all.ok && all.value.length >= limits.accounts_max) return refuse('too-many', 'accounts');
    return this.#writeInvitation(name, role, found.ok ? found.value.revision : 0, now);
  }

  /** Password, second factors and recovery codes are gone, and a new invitation leads back in. */
  async reset(name: string, now: number): Promise<Result<string>> {
    const found = await this.#open(name);
    if (!found.ok) return found;
    return this.#writeInvitation(name, found.value.value.role, found.value.revision, now);
  }

  async #writeInvitation(name: string, role: Role, revision: number, now: number): Promise<Result<string>> {
    const code = newToken();
    const written = await this.#records.put(name, invited(name, role, tokenDigest(code), now), revision);
    return written.ok ? ok(code) : written;
  }

  async setRole(name: string, role: Role): Promise<Result<true>> {
    return this.#change(name, (account) => ok({ ...account, role }));
  }

  async close(name: string): Promise<Result<true>> {
    return this.#change(name, ({ v, role, since }) =>
      ok({ v, name, role, since, state: 'closed', passkeys: [], recovery: [] }),
    );
  }

  /** Whose invitation this is. */
  async invitedBy(code: string, now: number): Promise<Result<Account>> {
    const digest = tokenDigest(code);
    const all = await this.#records.all();
    if (!all.ok) return all;
    const found = all.value.find(({ value }) => value.invitation?.digest === digest)?.value;
    return found?.invitation && found.invitation.until > now
      ? ok(found)
      : refuse('not-authenticated', 'the invitation was used before or has ended');
  }

  /** Makes an invited account active. Answers its recovery codes, which are shown once. */
  async accept(
    code: string,
    password: Secret,
    second: { readonly totp?: { secret: Secret; step: number }; readonly passkey?: KeptPasskey },
    now: number,
  ): Promise<Result<readonly string[]>> {
    const account = await this.invitedBy(code, now);
    if (!account.ok) return account;
    const strong = strongEnough(password, account.value.name);
    if (!strong.ok) return strong;
    const kept = await this.#stretched(password);
    if (!kept.ok) return kept;
    const { totp, passkey } = second;
    const codes = recoveryCodes();
    const { v, name, role } = account.value;
    const next: Account = {
      v,
      name,
      role,
      state: 'active',
      since: now,
      password: kept.value,
      ...(totp
        ? { totp: { sealed: this.#vault.seal(`totp ${name}`, totp.secret), lastStep: totp.step } }
        : {}),
      passkeys: passkey ? [passkey] : [],
      recovery: codes.map(tokenDigest),
    };
    const changed = await this.#change(name, (present) =>
      present.invitation?.digest === tokenDigest(code)
        ? ok(next)
        : refuse('not-authenticated', 'the invitation was used before'),
    );
    return changed.ok ? ok(codes) : changed;
  }

  /** The same work for a name that nobody has, so that time does not tell which there are. */
  async checkPassword(name: string, password: Secret): Promise<Result<Account>> {
    const found = await this.#records.get(name);
    const account = found.ok && found.value.value.state === 'active' ? found.value.value : undefined;
    const salt = fromB64u(account?.password?.salt ?? '') ?? new Uint8Array(32);
    const given = await this.#queue.run(async () => stretch(password, salt.length === 32 ? salt : nobody));
    if (!given.ok) return given;
    const right = Secret.take(fromB64u(account?.password?.hash ?? '') ?? new Uint8Array());
    const matches = account?.password !== undefined && given.value.equals(right);
    given.value.wipe();
    return matches ? ok(account) : refuse('not-authenticated', 'name or password is wrong');
  }

  async checkSecond(name: string, second: SecondFactor, now: number): Promise<Result<true>> {
    return this.#change(name, (account) => this.#useSecond(account, second, now));
  }

  #useSecond(account: Account, second: SecondFactor, now: number): Result<Account> {
    switch (second.kind) {
      case 'totp': {
        const { totp } = account;
        const secret = totp && this.#vault.open(`totp ${account.name}`, totp.sealed);
        const step = secret && totpMatches(secret, second.code, now, totp.lastStep);
        secret?.wipe();
        if (!totp || step === undefined) return refuse('wrong-second-factor', 'the code does not fit');
        return ok({ ...account, totp: { ...totp, lastStep: step } });
      }
      case 'passkey': {
        const kept = account.passkeys.find(({ id }) => id === second.used.id);
        if (!kept) return refuse('wrong-second-factor', 'this passkey is not known');
        const count = checkPasskey(kept, second.used, second.ceremony);
        if (!count.ok) return count;
        const passkeys = account.passkeys.map((one) =>
          one === kept ? { ...kept, count: count.value } : one,
        );
        return ok({ ...account, passkeys });
      }
      case 'recovery': {
        const digest = tokenDigest(second.code.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
        if (!account.recovery.includes(digest)) return refuse('wrong-second-factor', 'no such recovery code');
        return ok({ ...account, recovery: account.recovery.filter((one) => one !== digest) });
      }
    }
  }

  async setPassword(name: string, password: Secret): Promise<Result<true>> {
    const strong = strongEnough(password, name);
    if (!strong.ok) return strong;
    const kept = await this.#stretched(password);
    if (!kept.ok) return kept;
    return this.#change(name, (account) =>
      account.state === 'active' ? ok({ ...account, password: kept.value }) : refuse('not-found', name),
    );
  }

  async addPasskey(name: string, passkey: KeptPasskey): Promise<Result<true>> {
    return this.#change(name, (account) => {
      if (account.passkeys.length >= limits.passkeys_per_account_max)
        return refuse('too-many', `at most ${limits.passkeys_per_account_max} passkeys`);
      if (account.passkeys.some(({ id }) => id === passkey.id))
        return refuse('already-there', 'this passkey');
      return ok({ ...account, passkeys: [...account.passkeys, passkey] });
    });
  }

  /** The last second factor stays: without one nobody comes in. */
  async removePasskey(name: string, id: string): Promise<Result<true>> {
    return this.#change(name, (account) => {
      const passkeys = account.passkeys.filter((one) => one.id !== id);
      if (passkeys.length === account.passkeys.length) return refuse('not-found', 'this passkey');
      if (passkeys.length === 0 && !account.totp)
        return refuse('last-second-factor', 'this passkey is the only second factor');
      return ok({ ...account, passkeys });
    });
  }

  async #open(name: string): Promise<Result<Stored<Account>>> {
    const found = await this.#records.get(name);
    return found.ok && found.value.value.state === 'closed' ? refuse('not-found', name) : found;
  }

  async #change(name: string, by: (account: Account) => Result<Account>): Promise<Result<true>> {
    const found = await this.#open(name);
    if (!found.ok) return found;
    const next = by(found.value.value);
    if (!next.ok) return next;
    const written = await this.#records.put(name, next.value, found.value.revision);
    return written.ok ? ok(true) : written;
  }

  async #stretched(password: Secret): Promise<Result<{ salt: string; hash: string }>> {
    const salt = randomBytes(32);
    const hash = await this.#queue.run(async () => stretch(password, salt));
    if (!hash.ok) return hash;
    const kept = hash.value.use((bytes) => ({ salt: toB64u(salt), hash: toB64u(bytes) }));
    hash.value.wipe();
    return ok(kept);
  }
}

const nobody = new Uint8Array(32);
const notForPeople: readonly string[] = ['token-file', 'nobody', 'token'];

function strongEnough(password: Secret, name: string): Result<true> {
  if (password.length < limits.password_bytes_min)
    return refuse('weak-passphrase', `at least ${limits.password_bytes_min} characters`);
  const text = password.use((bytes) => Buffer.from(bytes).toString().toLowerCase());
  const plain = text.includes(name) || new Set(text).size < 5;
  return plain ? refuse('weak-passphrase', 'it is too plain, or contains the name') : ok(true);
}

const letters = 'abcdefghjkmnpqrstuvwxyz23456789';

/** 16 letters of 31 each: 79 bits, which nobody guesses through an interface that counts failures. */
function recoveryCodes(): string[] {
  const code = (): string => Array.from({ length: 16 }, () => letters[randomInt(letters.length)]).join('');
  return Array.from({ length: limits.recovery_codes_count }, code);
}

/** A few at a time, some more waiting, and the rest refused. */
class Queue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    readonly running_max: number,
    readonly waiting_max: number,
  ) {}

  async run<T>(work: () => Promise<T>): Promise<Result<T>> {
    if (this.#running >= this.running_max) {
      if (this.#waiting.length >= this.waiting_max) return refuse('too-many', 'logins at once');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
    try {
      return ok(await work());
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }
}
