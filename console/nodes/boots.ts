import { sha256 } from '../../crypto/bytes.js';
import type { PublicKey } from '../../crypto/rsa.js';
import { digestText, idText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { identityOf, type NodeCard } from '../../protocol/node-card.js';
import { list, object, type Parsed } from '../../protocol/parse.js';
import { bootAnswer, verifyQuote } from '../../protocol/quote.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { verifyBoot } from '../../protocol/unlock.js';
import type { KeyStore } from '../store/port.js';
import { Records } from '../store/records.js';
import type { NodeBook } from './book.js';

/** What this console accepts that the machine of a lease measures. */
const acceptedForm = object({
  lease: idText,
  digests: list(digestText, { min: 1, max: limits.measurements_accepted_max }),
});
type Accepted = Parsed<typeof acceptedForm>;

/**
 * The pairs of the present starts of nodes: what must never be opened later is sealed to them. The identity key of the node vouches for each, and the
 * TPM, where there is one, for what was started on the machine.
 *
 * INVARIANTS:
 * - Of a node whose card says that it has a TPM, or that ever showed its word, no pair is given without it.
 * - What a machine measured when this console first sealed something to it is accepted; anything else only when a person named it.
 */
export class Boots {
  readonly #book: NodeBook;
  readonly #accepted: Records<Accepted>;

  constructor({ book, store }: { readonly book: NodeBook; readonly store: KeyStore }) {
    this.#book = book;
    this.#accepted = new Records(store, 'measured/', acceptedForm);
  }

  async of(card: NodeCard): Promise<Result<PublicKey>> {
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const said = await this.#book.request(card.name, { type: 'keys.boot' });
    if (!said.ok) return said;
    const answer = bootAnswer(said.value.result ?? {}, 'answer');
    if (!answer.ok) return answer;
    const { boot, statement, quote } = answer.value;
    const pair = await verifyBoot(statement, identity.value, boot);
    if (!pair.ok) return pair;
    const known = await this.#of(card);
    if (!known.ok) return known;
    if (!quote) return card.keyStore === 'tpm' || known.value ? refuse('quote-missing', card.name) : pair;
    const measured = verifyQuote(quote, identity.value, sha256(statement));
    if (!measured.ok) return measured;
    if (known.value?.digests.includes(measured.value)) return pair;
    if (known.value)
      return refuse('measured-unknown', measured.value, {
        data: { measured: measured.value, accepted: known.value.digests },
      });
    const kept = await this.#accepted.put(card.name, { lease: card.lease, digests: [measured.value] });
    return kept.ok ? pair : kept;
  }

  /** A person says that the machine of a node may measure this, besides what was accepted before. */
  async accept(name: string, digest: string): Promise<Result<void>> {
    const node = this.#book.get(name);
    if (!node.ok) return node;
    const { card } = node.value;
    const known = await this.#of(card);
    if (!known.ok) return known;
    const others = (known.value?.digests ?? []).filter((one) => one !== digest);
    const digests = [digest, ...others].slice(0, limits.measurements_accepted_max);
    const kept = await this.#accepted.put(name, { lease: card.lease, digests });
    return kept.ok ? ok(undefined) : kept;
  }

  /** The same, for an update that is still to come: where nothing was accepted yet, what the machine measures now would be refused. */
  async acceptBesides(name: string, digest: string): Promise<Result<void>> {
    const node = this.#book.get(name);
    if (!node.ok) return node;
    const known = await this.#of(node.value.card);
    if (!known.ok) return known;
    return known.value ? this.accept(name, digest) : ok(undefined);
  }

  /** What was accepted for another lease was said of another time. */
  async #of({ name, lease }: NodeCard): Promise<Result<Accepted | undefined>> {
    const found = await this.#accepted.get(name);
    if (!found.ok) return found.refusal.code === 'not-found' ? ok(undefined) : found;
    const { value } = found.value;
    return ok(value.lease === lease ? value : undefined);
  }
}
