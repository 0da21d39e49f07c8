import { roles } from '../../console/api/access.js';
import { bytesText, digestText, nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import { keptPasskey } from './passkey.js';

const moment = whole({ min: 0, max: 32_503_680_000_000 });

/**
 * A person who works with this console.
 *
 *   invited ──(opens the link, sets a password and a second factor)──► active ──► closed
 *      ▲                                                                 │
 *      └────────────────(reset by an administrator)──────────────────────┘
 *
 * Nothing in here logs anybody in: passwords are stretched, codes are digests, the secret of the authenticator is sealed in the vault.
 */
export const accountForm = object({
  v: whole({ min: 1, max: 1 }),
  name: nameText,
  role: oneOf(...roles),
  state: oneOf('invited', 'active', 'closed'),
  since: moment,
  invitation: optional(object({ digest: digestText, until: moment })),
  password: optional(object({ salt: bytesText(32), hash: bytesText(32) })),
  totp: optional(object({ sealed: text({ max: 200 }), lastStep: whole({ min: 0, max: 2 ** 40 }) })),
  passkeys: list(keptPasskey.parse, { max: limits.passkeys_per_account_max }),
  /** Digests of the codes that serve once each when the second factor is lost. */
  recovery: list(digestText, { max: limits.recovery_codes_count }),
});
export type Account = Parsed<typeof accountForm>;

/** An account before anybody used it, or after a reset: whatever opened it before is gone. */
export function invited(name: string, role: Account['role'], digest: string, now: number): Account {
  const invitation = { digest, until: now + limits.invitation_ms_max };
  return { v: 1, name, role, state: 'invited', since: now, invitation, passkeys: [], recovery: [] };
}
