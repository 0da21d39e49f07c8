import type { Pair } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { Command, ConsoleWay } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { identityOf, levelKeyOf, nodeCardForm, type NodeCard, type Way } from '../../protocol/node-card.js';
import type { Reply } from '../../protocol/reply.js';
import type { Addressee } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { KeyStore } from '../store/port.js';
import { DialPace } from './dial-pace.js';
import { firstOf } from './first-of.js';
import { NodeLink, type Known, type LinkOutline } from './link.js';
import { NodeSession, type Asked, type Clocks } from './session.js';
import { Seats } from './seats.js';
import type { Patience } from './state.js';

/** A node as a console knows it. */
export interface KnownNode extends Known {
  readonly card: NodeCard;
  /** Thumbprint of the node's identity key. */
  readonly id: string;
}

export type BookEvent =
  | { readonly type: 'nodes'; readonly nodes: readonly KnownNode[] }
  | { readonly type: 'gone'; readonly names: readonly string[] };

export interface BookOptions {
  readonly store: KeyStore;
  readonly pair: Pair;
  readonly clocks: Clocks;
  readonly chance: () => number;
  readonly patience: Patience;
  readonly ask_ms: number;
  readonly log: Log;
  /** Ways that lead to every node, tried after its own. */
  readonly ownWays: readonly Way[];
  readonly connect: (way: Way, node: string) => Promise<Result<MessageChannel>>;
  /** Of several consoles that share a store, only the one whose turn it is speaks with nodes. */
  readonly may?: () => Result<true>;
  /** The fewest bits of RSA that a node's keys must have. */
  readonly keyBits?: number | undefined;
}

/**
 * As much of a node as it is chosen and sorted by, and as a brief list shows: to put all together that is known of ten thousand costs more than the page
 * that is shown.
 */
export type Outline = Pick<KnownNode, 'card' | 'id'> & LinkOutline;

interface Line {
  readonly card: NodeCard;
  readonly id: string;
  readonly link: NodeLink;
}

const prefix = 'node/';

/**
 * All nodes of a console: their cards in the store, a link to each, and who listens to what changes.
 *
 * INVARIANTS:
 * - A name and an identity each stand for one node.
 * - A card is in the store before its link starts, and its link has stopped before its removal is answered.
 * - Listeners get every node's latest state, not every state it passed through: changes are gathered for a moment, so that
 *   ten thousand nodes that come back at once cost as many lines, not more.
 */
export class NodeBook {
  readonly #options: BookOptions;
  readonly #lines = new Map<string, Line>();
  /** Their names by the thumbprints of their identity keys. */
  readonly #names = new Map<string, string>();
  readonly #listeners = new Set<(event: BookEvent) => void>();
  readonly #changed = new Set<string>();
  readonly #seats = new Seats(limits.conversations_opening_max, limits.conversation_opening_ms_max);
  readonly #pace: DialPace;
  #flush: NodeJS.Timeout | undefined;

  constructor(options: BookOptions) {
    this.#options = options;
    this.#pace = new DialPace(limits.dials_per_s_max, () => options.clocks.steady());
  }

  async open(): Promise<Result<true>> {
    for (let after: string | undefined; ;) {
      const page = await this.#options.store.range({ prefix, ...(after === undefined ? {} : { after }) });
      for (const { key, value } of page.entries) {
        const card = nodeCardForm(JSON.parse(Buffer.from(value).toString()), key);
        if (!card.ok) return card;
        const begun = this.#begin(card.value);
        if (!begun.ok) return begun;
        after = key;
      }
      if (!page.more) break;
    }
    // Once it is known how many there are: a console that starts dials them no faster than it dials those that were away.
    const spread_ms = Math.max(limits.dial_spread_ms_max, (this.#lines.size * 1000) / limits.dials_per_s_max);
    for (const { link } of this.#lines.values()) link.start(spread_ms);
    return ok(true);
  }

  close(): void {
    clearTimeout(this.#flush);
    for (const { link } of this.#lines.values()) link.stop();
    this.#lines.clear();
    this.#names.clear();
    this.#listeners.clear();
  }

  list(): KnownNode[] {
    return [...this.#lines.values()].map(known);
  }

  outlines(): Outline[] {
    const all: Outline[] = [];
    for (const { card, id, link } of this.#lines.values()) {
      const { state, lastSeen, questions, refusal } = link.outline;
      all.push({ card, id, state, lastSeen, questions, refusal });
    }
    return all;
  }

  /** The name of the node with this identity. */
  nameOf(id: string): string | undefined {
    return this.#names.get(id);
  }

  get(name: string): Result<KnownNode> {
    const line = this.#lines.get(name);
    return line ? ok(known(line)) : refuse('not-found', `no node ${name}`);
  }

  async add(card: NodeCard): Promise<Result<KnownNode>> {
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const twin = this.nameOf(identity.value.id);
    if (twin !== undefined) return refuse('already-there', `this node is here as ${twin}`);
    if (this.#lines.has(card.name)) return refuse('already-there', `a node ${card.name} is here`);
    if (this.#lines.size >= limits.nodes_max) return refuse('too-large', `at most ${limits.nodes_max} nodes`);
    const key = prefix + card.name;
    const value = Buffer.from(JSON.stringify(card));
    const written = await this.#options.store.write([{ type: 'put', key, value }], [{ key, revision: 0 }]);
    if (!written.ok) return written;
    const begun = this.#begin(card);
    if (!begun.ok) return begun;
    begun.value.link.start();
    return ok(known(begun.value));
  }

  /** The same node under a new card: its level has another pair, or another lease. */
  async replace(card: NodeCard): Promise<Result<KnownNode>> {
    const line = this.#lines.get(card.name);
    if (!line) return refuse('not-found', `no node ${card.name}`);
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    if (identity.value.id !== line.id)
      return refuse('wrong-node', 'the card is of another node of this name');
    const value = Buffer.from(JSON.stringify(card));
    const written = await this.#options.store.write([{ type: 'put', key: prefix + card.name, value }]);
    if (!written.ok) return written;
    line.link.stop();
    const begun = this.#begin(card);
    if (!begun.ok) return begun;
    begun.value.link.start();
    return ok(known(begun.value));
  }

  async remove(name: string): Promise<Result<true>> {
    const line = this.#lines.get(name);
    if (!line) return refuse('not-found', `no node ${name}`);
    const written = await this.#options.store.write([{ type: 'delete', key: prefix + name }]);
    if (!written.ok) return written;
    line.link.stop();
    this.#lines.delete(name);
    this.#names.delete(line.id);
    for (const listener of this.#listeners) listener({ type: 'gone', names: [name] });
    return ok(true);
  }

  async request(
    name: string,
    command: Command,
    more: Omit<Asked, 'command' | 'to'> = {},
  ): Promise<Result<Reply>> {
    const may = this.#options.may?.();
    if (may?.ok === false) return may;
    const line = this.#lines.get(name);
    return line ? line.link.request(command, more) : refuse('not-found', `no node ${name}`);
  }

  /** The way that a change under confirmation would have to restore: none when a gateway carries it. */
  wayTo(name: string): ConsoleWay | undefined {
    const ends = this.#lines.get(name)?.link.ends;
    return ends && { peer: ends.address, port: ends.port };
  }

  /** A conversation of its own with a node that is here. */
  async ownSession(name: string): Promise<Result<{ readonly session: NodeSession; readonly to: Addressee }>> {
    const line = this.#lines.get(name);
    if (!line) return refuse('not-found', `no node ${name}`);
    const { card, id } = line;
    const key = levelKeyOf(card);
    if (!key.ok) return key;
    const channel = await this.#connect(card, id);
    if (!channel.ok) return channel;
    const { pair, clocks, keyBits } = this.#options;
    const session = new NodeSession(channel.value, pair, id, clocks, { keyBits });
    return ok({ session, to: { level: card.level, lease: card.lease, key: key.value } });
  }

  /** One command to a node that is here, spoken by another key, over ways of its own. */
  async speakAs(
    name: string,
    pair: Pair,
    connect: BookOptions['connect'],
    command: Command,
  ): Promise<Result<Reply>> {
    const line = this.#lines.get(name);
    if (!line) return refuse('not-found', `no node ${name}`);
    const { card, id } = line;
    const key = levelKeyOf(card);
    if (!key.ok) return key;
    const ways = [...card.ways, ...this.#options.ownWays];
    const channel = await firstOf(ways.map((way) => async () => connect(way, id)));
    if (!channel.ok) return channel;
    const { clocks, keyBits } = this.#options;
    const session = new NodeSession(channel.value, pair, id, clocks, { keyBits });
    const reply = await session.request({
      command,
      to: { level: card.level, lease: card.lease, key: key.value },
    });
    session.close('spoken');
    return reply;
  }

  /** A connection of its own to a node that need not be here yet. */
  async connectTo(card: NodeCard): Promise<Result<MessageChannel>> {
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    return this.#connect(card, identity.value.id);
  }

  /** What is known of a node beside its own answers has changed. */
  touch(name: string): void {
    if (this.#lines.has(name)) this.#note(name);
  }

  /** Tells the present state at once, then what changes. */
  listen(listener: (event: BookEvent) => void): () => void {
    this.#listeners.add(listener);
    listener({ type: 'nodes', nodes: this.list() });
    return () => void this.#listeners.delete(listener);
  }

  async #connect(card: NodeCard, id: string): Promise<Result<MessageChannel>> {
    const may = this.#options.may?.();
    if (may?.ok === false) return may;
    const { connect, ownWays } = this.#options;
    return firstOf([...card.ways, ...ownWays].map((way) => async () => connect(way, id)));
  }

  #begin(card: NodeCard): Result<Line> {
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const key = levelKeyOf(card);
    if (!key.ok) return key;
    const { connect: _, ownWays: __, ask_ms, ...shared } = this.#options;
    // All nodes together are asked and dialled so often in a second at most; each has its turn within this time.
    const share = (per_s: number): number => (this.#lines.size * 1000) / per_s;
    const { id } = identity.value;
    const link = new NodeLink({
      ...shared,
      get ask_ms() {
        return Math.max(ask_ms, share(limits.questions_per_s_max));
      },
      get again_ms_max() {
        return Math.max(limits.dial_again_ms_max, share(limits.dials_per_s_max));
      },
      seats: this.#seats,
      dialTurn: async () => this.#pace.turn(),
      node: id,
      identity: identity.value,
      to: { level: card.level, lease: card.lease, key: key.value },
      connect: async () => this.#connect(card, id),
      onChange: () => this.#note(card.name),
    });
    const line = { card, id, link };
    this.#lines.set(card.name, line);
    this.#names.set(id, card.name);
    this.#note(card.name);
    return ok(line);
  }

  #note(name: string): void {
    this.#changed.add(name);
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      const lines = [...this.#changed].flatMap((changed) => this.#lines.get(changed) ?? []);
      this.#changed.clear();
      const nodes = lines.map(known);
      for (const listener of this.#listeners) listener({ type: 'nodes', nodes });
    }, limits.gather_changes_ms);
  }
}

function known({ card, id, link }: Line): KnownNode {
  return { card, id, ...link.known };
}
