import { fromB64u, toB64u } from '../crypto/bytes.js';
import type { PublicKey } from '../crypto/rsa.js';
import { verifies } from '../crypto/signer.js';
import { idText } from './fields.js';
import { object, optional, text, type Parsed } from './parse.js';
import { ok, refuse, type Result } from './result.js';

/** What a TPM says of its registers, signed inside of it, and so by nothing that only runs on the machine: as TPM2_Quote gives it. */
export const quoteForm = object({
  /** A TPMS_ATTEST, as part 2 of the TPM 2.0 library describes it. */
  attested: text({ max: 2000, pattern: /^[A-Za-z0-9_-]+$/, form: 'base64url' }),
  signature: text({ max: 700, pattern: /^[A-Za-z0-9_-]+$/, form: 'base64url' }),
});
export type Quote = Parsed<typeof quoteForm>;

/** What a node answers to `keys.boot`. Without a TPM there is no quote. */
export const bootAnswer = object({
  boot: idText,
  statement: text({ max: 8000 }),
  quote: optional(quoteForm),
});

const magic = 0xff54_4347;
const typeOfQuote = 0x8018;
/** The clock of the TPM with its counts of resets and restarts and whether it is safe, and the version of its firmware. */
const skipped = 8 + 4 + 4 + 1 + 8;

/**
 * Checks that N itself attested the registers, for this purpose and no other, and gives the digest over them: what `measurement.read` calls
 * `measured`. `about` is what was to be attested with them.
 */
export function verifyQuote(quote: Quote, identity: PublicKey, about: Uint8Array): Result<string> {
  const attested = fromB64u(quote.attested);
  const signature = fromB64u(quote.signature);
  if (!attested || !signature) return refuse('malformed', 'not a quote of a TPM');
  if (!verifies(identity.key, attested, signature)) return refuse('bad-signature');
  const said = readAttested(attested);
  if (!said) return refuse('malformed', 'not a quote of a TPM');
  return Buffer.from(about).equals(said.about)
    ? ok(toB64u(said.registers))
    : refuse('quote-wrong', 'it was made for something else');
}

/** Undefined for whatever is not a quote over registers with SHA-256. */
function readAttested(bytes: Uint8Array): { readonly about: Buffer; readonly registers: Buffer } | undefined {
  const from = Buffer.from(bytes);
  let at = 0;
  const take = (count: number): Buffer => from.subarray(at, (at += count));
  const number = (size: number): number => {
    const taken = take(size);
    return taken.length === size ? taken.readUIntBE(0, size) : Number.NaN;
  };
  const sized = (): Buffer => take(number(2) || 0);
  if (number(4) !== magic || number(2) !== typeOfQuote) return undefined;
  sized(); // Who signed: it is known by its key.
  const about = sized();
  take(skipped);
  if (number(4) !== 1 || number(2) !== sha256) return undefined;
  take(number(1) || 0); // Which registers: the digest is over their values, and is compared as a whole.
  const registers = sized();
  return at === from.length && registers.length === 32 ? { about, registers } : undefined;
}

/** As the TPM names the hash. */
const sha256 = 0x000b;
