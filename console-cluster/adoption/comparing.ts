import type { PublicKey } from '../../crypto/rsa.js';
import { limits } from '../../protocol/limits.js';
import type { PairingCodes } from '../../protocol/pairing/codes.js';
import type { PairingTalk } from '../../protocol/pairing/talk.js';

/** Both sides have revealed. */
export interface Comparing {
  /** The key that the machine revealed, for which the codes vouch. */
  readonly key: PublicKey;
  readonly codes: PairingCodes;
  /** It does not wait for ever. */
  readonly late: NodeJS.Timeout;
}

export function comparingWith(talk: PairingTalk, key: PublicKey, codes: PairingCodes): Comparing {
  const end = (): void => talk.refuse({ code: 'pairing-ended', detail: 'nobody compared in time' });
  return { key, codes, late: setTimeout(end, limits.pairing_ms_max) };
}
