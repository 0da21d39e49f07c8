import { randomBytes } from 'node:crypto';
import { Secret } from '../../crypto/secret.js';
import type { Command } from '../../protocol/commands.js';
import { digestText, idText, publicJwk } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { flag, list, object, oneOf, optional, text, type Parsed } from '../../protocol/parse.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { sealShare, shareBytes } from '../../protocol/unlock.js';
import type { PublicKey } from '../../crypto/rsa.js';
import { openVault, type Vault } from '../daemon/vault.js';
import type { ConsoleParts } from '../daemon/daemon.js';
import { Records } from '../store/records.js';
import { Boots } from './boots.js';
import { receiptTexts } from './receipts.js';

const rotationForm = object({
  key: flag,
  data: oneOf('destroy', 'keep', 'reencrypt'),
  destroys: optional(list(idText, { max: limits.levels_max })),
});
export type Rotation = Parsed<typeof rotationForm>;

/** A rotation that is asked for: written down before it is sent, so that it acts once, and its answer is never lost. */
const askedForm = object({ lease: idText, id: idText, rotation: rotationForm });
type AskedRotation = Parsed<typeof askedForm>;

const rotatedForm = object({
  pair: object({ id: digestText, jwk: publicJwk }),
  symmetric: optional(idText),
  data: oneOf('destroy', 'keep', 'reencrypt'),
  destroyed: list(idText, { max: limits.levels_max }),
  /** The long part of a re-encryption, which goes on. */
  job: optional(idText),
  receipts: receiptTexts,
});
export type Rotated = Parsed<typeof rotatedForm>;

/** Shares in the vault. `next`: given to the node, whose answer has not come yet. */
const sharesForm = object({
  lease: idText,
  key: idText,
  now: optional(text({ max: 400 })),
  next: optional(text({ max: 400 })),
});
type Shares = Parsed<typeof sharesForm>;

const ownKey = object({ symmetric: optional(idText), shared: optional(flag) });

/** Without an answer the node may have acted, or may yet act. */
const unanswered: ReadonlySet<string> = new Set([
  'unreachable',
  'node-silent',
  'stale',
  'nonce-stale',
  'wrong-boot',
  'too-many',
  'internal',
]);

type Answer = Readonly<Record<string, unknown>>;

/**
 * What a console does with the keys of its level on the nodes.
 *
 * INVARIANTS:
 * - A rotation is in the store before it is sent, and leaves it only when the card has the new pair, or the node refused.
 * - A share is in the vault before the node locks anything under it, and the one before stays until the node has answered.
 */
export class NodeKeys {
  readonly #parts: ConsoleParts;
  readonly #asked: Records<AskedRotation>;
  readonly #shares: Records<Shares>;
  readonly #boots: Boots;
  #vault: Vault | undefined;

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
    this.#asked = new Records(parts.store, 'rotation/', askedForm);
    this.#shares = new Records(parts.store, 'share/', sharesForm);
    this.#boots = new Boots(parts);
  }

  /** Takes up the rotations whose answers were lost with the daemon. */
  async start(): Promise<void> {
    const all = await this.#asked.all();
    for (const { name, value } of all.ok ? all.value : []) await this.#send(name, value);
  }

  async read(name: string): Promise<Result<Answer>> {
    const read = await this.#ask(name, { type: 'keys.read' });
    if (!read.ok) return read;
    const shares = await this.#sharesOf(name);
    if (!shares.ok) return shares;
    return ok({ ...read.value, shareKept: shares.value?.now !== undefined });
  }

  make(name: string): Promise<Result<Answer>> {
    return this.#ask(name, { type: 'keys.make' });
  }

  consent(name: string, to: string, act: 'rotate' | 'transfer', holder?: string): Promise<Result<Answer>> {
    return this.#ask(name, { type: 'keys.consent', to, act, ...(holder === undefined ? {} : { holder }) });
  }

  /** One that waits for its answer comes first, whatever is wanted now. */
  async rotate(name: string, rotation: Rotation): Promise<Result<Rotated>> {
    const node = this.#parts.book.get(name);
    if (!node.ok) return node;
    const before = await this.#asked.get(name);
    if (!before.ok && before.refusal.code !== 'not-found') return before;
    if (before.ok) {
      const { value } = before.value;
      const done = await this.#send(name, value);
      const same = JSON.stringify(value.rotation) === JSON.stringify(rotation);
      if (same || (!done.ok && unanswered.has(done.refusal.code))) return done;
    }
    return this.#send(name, { lease: node.value.card.lease, id: newId(), rotation });
  }

  async #send(name: string, asked: AskedRotation): Promise<Result<Rotated>> {
    const { book } = this.#parts;
    const node = book.get(name);
    if (!node.ok) return node;
    const { card } = node.value;
    const noted = await this.#asked.put(name, asked);
    if (!noted.ok) return noted;
    // What was asked of another lease is void with it.
    if (card.lease !== asked.lease) {
      await this.#asked.remove(name, noted.value);
      return refuse('lease-over', name);
    }
    const command = { type: 'keys.rotate', level: card.level, ...asked.rotation } as const;
    const reply = await book.request(name, command, { jti: asked.id });
    if (!reply.ok) {
      if (!unanswered.has(reply.refusal.code)) await this.#asked.remove(name, noted.value);
      return reply;
    }
    const rotated = rotatedForm(reply.value.result ?? {}, 'answer');
    if (!rotated.ok) return rotated;
    const replaced = await book.replace({ ...card, key: rotated.value.pair.jwk });
    if (!replaced.ok) return replaced;
    await this.#asked.remove(name, noted.value);
    return rotated;
  }

  jobs(name: string): Promise<Result<Answer>> {
    return this.#ask(name, { type: 'jobs.read' });
  }

  cancel(name: string, job: string): Promise<Result<Answer>> {
    return this.#ask(name, { type: 'job.cancel', job });
  }

  /** From the next start of the node on its K opens only with a share that this console keeps; or no longer. */
  async share(name: string, wanted: 'new' | 'none'): Promise<Result<Answer>> {
    const place = await this.#placeOf(name);
    if (!place.ok) return place;
    const { boot, key, lease, shared, vault } = place.value;
    const kept = await this.#sharesOf(name);
    if (!kept.ok) return kept;
    const before = kept.value?.key === key ? kept.value : undefined;
    const old = before?.now === undefined ? undefined : vault.open(contextOf(key), before.now);
    if (shared && !old) return refuse('share-wrong', 'this console has no share of this key');
    const next = wanted === 'new' ? Secret.take(new Uint8Array(randomBytes(shareBytes))) : undefined;
    const sealed = next && vault.seal(contextOf(key), next);
    const now = before?.now === undefined ? {} : { now: before.now };
    const noted = await this.#shares.put(name, { lease, key, ...now, ...(sealed ? { next: sealed } : {}) });
    if (!noted.ok) return noted;
    const reply = await this.#ask(name, {
      type: 'keys.share',
      ...(next ? { share: await sealShare(boot, key, next) } : {}),
      ...(shared && old ? { old: await sealShare(boot, key, old) } : {}),
    });
    next?.wipe();
    old?.wipe();
    if (!reply.ok) return reply;
    const settled = await this.#shares.put(name, { lease, key, ...(sealed ? { now: sealed } : {}) });
    return settled.ok ? reply : settled;
  }

  /** Sends the share, after a start of the node. Of two that may hold, the one that does becomes the only one. */
  async unlock(name: string): Promise<Result<Answer>> {
    const place = await this.#placeOf(name);
    if (!place.ok) return place;
    const { boot, key, lease, vault } = place.value;
    const kept = await this.#sharesOf(name);
    if (!kept.ok) return kept;
    for (const sealed of kept.value?.key === key ? [kept.value.next, kept.value.now] : []) {
      const share = sealed === undefined ? undefined : vault.open(contextOf(key), sealed);
      if (sealed === undefined || !share) continue;
      const reply = await this.#ask(name, { type: 'keys.unlock', share: await sealShare(boot, key, share) });
      share.wipe();
      if (!reply.ok && reply.refusal.code === 'share-wrong') continue;
      if (!reply.ok) return reply;
      const settled = await this.#shares.put(name, { lease, key, now: sealed });
      return settled.ok ? reply : settled;
    }
    return refuse('share-wrong', 'this console has no share that opens this key');
  }

  async #ask(name: string, command: Command): Promise<Result<Answer>> {
    const reply = await this.#parts.book.request(name, command);
    return reply.ok ? ok(reply.value.result ?? {}) : reply;
  }

  async #sharesOf(name: string): Promise<Result<Shares | undefined>> {
    const found = await this.#shares.get(name);
    if (found.ok) return ok(found.value.value);
    return found.refusal.code === 'not-found' ? ok(undefined) : found;
  }

  /** To whom a share is sealed, and for which K. */
  async #placeOf(name: string): Promise<Result<SharePlace>> {
    const node = this.#parts.book.get(name);
    if (!node.ok) return node;
    const { card } = node.value;
    const read = await this.#ask(name, { type: 'keys.read' });
    if (!read.ok) return read;
    const [own] = (read.value['keys'] as readonly Record<string, unknown>[]).slice(card.level);
    const { symmetric, shared } = own ?? {};
    const parsed = ownKey(
      { ...(symmetric === undefined ? {} : { symmetric }), ...(shared === undefined ? {} : { shared }) },
      'keys',
    );
    if (!parsed.ok) return parsed;
    if (parsed.value.symmetric === undefined) return refuse('no-key', name);
    const boot = await this.#boots.of(card);
    if (!boot.ok) return boot;
    const vault = await this.#openVault();
    if (!vault.ok) return vault;
    return ok({
      boot: boot.value,
      key: parsed.value.symmetric,
      lease: card.lease,
      shared: parsed.value.shared === true,
      vault: vault.value,
    });
  }

  async #openVault(): Promise<Result<Vault>> {
    if (this.#vault) return ok(this.#vault);
    const opened = await openVault(this.#parts.store, this.#parts.pair);
    if (opened.ok) this.#vault = opened.value;
    return opened;
  }
}

interface SharePlace {
  readonly boot: PublicKey;
  readonly key: string;
  readonly lease: string;
  readonly shared: boolean;
  readonly vault: Vault;
}

function contextOf(key: string): string {
  return `share/${key}`;
}
