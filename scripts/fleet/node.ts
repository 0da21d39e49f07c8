import { randomBytes } from 'node:crypto';
import { digestOf, toB64u } from '../../crypto/bytes.js';
import { thumbprint, type Pair, type PublicJwk, type PublicKey } from '../../crypto/rsa.js';
import type { Command } from '../../protocol/commands.js';
import type { NodeCard, Way } from '../../protocol/node-card.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { FailureKind } from './failures.js';

interface Filters {
  readonly version: number;
  readonly set: unknown;
  readonly names: unknown;
}

const eventsKeptMax = 100;

export interface SimulatedParts {
  readonly name: string;
  readonly index: number;
  readonly identity: PublicJwk;
  readonly level: Pair;
  readonly landlord: PublicKey;
  /** The address in the facility that it says it has. */
  readonly address: string;
  readonly nextAddress: string;
}

/**
 * One node of a simulated fleet: what a landlord's console can see and change of it. It has no kernel, no disk and no tenant; what it answers has
 * the form of a real node's answers.
 */
export class SimulatedNode {
  readonly name: string;
  readonly index: number;
  readonly identity: PublicJwk;
  /** Thumbprint of N. */
  readonly id: string;
  readonly level: Pair;
  readonly landlord: PublicKey;
  readonly lease = newId();
  boot = newId();
  readonly failing = new Map<FailureKind, number>();
  readonly #address: string;
  /** Of the node after this one, for one that says it has that too. */
  readonly nextAddress: string;
  readonly #started_s = Math.floor(Date.now() / 1000);
  #filters: Filters = { version: 0, set: { otherwise: 'deny', filters: [] }, names: {} };
  #before: Filters | undefined;
  #undo: NodeJS.Timeout | undefined;
  readonly #events: { readonly seq: number; readonly line: string }[] = [];
  nextEvent = 1;
  /** Told when an event happened. */
  onEvent: (line: string) => void = () => {};

  constructor(parts: SimulatedParts) {
    this.name = parts.name;
    this.index = parts.index;
    this.identity = parts.identity;
    this.id = thumbprint(parts.identity);
    this.level = parts.level;
    this.landlord = parts.landlord;
    this.#address = parts.address;
    this.nextAddress = parts.nextAddress;
  }

  card(ways: readonly Way[]): NodeCard {
    const { name, identity, lease, level } = this;
    return {
      v: 1,
      kind: 'node-card',
      name,
      identity,
      keyStore: 'file',
      level: 0,
      lease,
      key: level.public.jwk,
      ways,
    };
  }

  get version(): number {
    return this.#filters.version;
  }

  get pending(): boolean {
    return this.#before !== undefined;
  }

  /** As after a restart: what waited for its confirmation is undone. */
  restart(): void {
    this.boot = newId();
    this.#takeBack();
  }

  event(kind: string, fields: object): void {
    const line = { seq: this.nextEvent, time: Math.floor(Date.now() / 1000), kind, ...fields };
    this.nextEvent += 1;
    this.#events.push({ seq: line.seq, line: JSON.stringify(line) });
    if (this.#events.length > eventsKeptMax) this.#events.shift();
    this.onEvent(JSON.stringify(line));
  }

  /** What happened after that event, as a real node keeps it for a console that was away. */
  eventsAfter(seq: number): readonly string[] {
    return this.#events.filter((event) => event.seq > seq).map(({ line }) => line);
  }

  /** The answer to a command whose speaker is proved. */
  answer(command: Command): Result<Readonly<Record<string, unknown>>> {
    const { type } = command;
    if (type === 'status') return ok(this.status);
    if (type === 'events.follow') return ok({});
    if (type === 'filters.read') return ok({ ...this.#filters });
    if (type === 'filters.replace') return this.#replace(command);
    if (type !== 'filters.confirm' && type !== 'filters.undo')
      return refuse('not-authorised', 'a simulated node does not carry this out');
    if (!this.#before || command.version !== this.#filters.version) return refuse('nothing-pending');
    if (type === 'filters.undo') this.#takeBack();
    else this.#keep();
    return ok({ version: this.#filters.version });
  }

  #keep(): void {
    clearTimeout(this.#undo);
    this.#before = undefined;
  }

  #replace(command: Extract<Command, { type: 'filters.replace' }>): Result<{ version: number }> {
    const { version } = this.#filters;
    if (this.#before) return refuse('change-pending', `version ${version}`);
    if (command.expect !== version)
      return refuse('version-mismatch', `expected ${command.expect}, here is ${version}`);
    const before = this.#filters;
    this.#filters = { version: version + 1, set: command.set, names: command.names ?? {} };
    if (command.confirmWithin !== undefined) {
      this.#before = before;
      this.#undo = setTimeout(() => this.#takeBack(), command.confirmWithin * 1000).unref();
    }
    return ok({ version: version + 1 });
  }

  /** What was before comes back under a new number, as in a real node. */
  #takeBack(): void {
    clearTimeout(this.#undo);
    if (!this.#before) return;
    this.#filters = { ...this.#before, version: this.#filters.version + 1 };
    this.#before = undefined;
    this.event('filters.undone', { version: this.#filters.version });
  }

  get status(): Readonly<Record<string, unknown>> {
    const lies = this.failing.has('lie');
    return {
      name: lies ? 'fleet-00000' : this.name,
      node: lies ? digestOf('another') : this.id,
      version: 'simulated',
      started: this.#started_s,
      keyStore: 'file',
      files: 'none',
      warnings: [],
      level: 0,
      levels: 1,
      chain: [{ lease: this.lease, status: 'taken' }],
      lease: this.lease,
      status: 'taken',
      rights: ['hardware', 'boundaries', 'engines', 'volumes', 'keys', 'lease'],
      filters: {
        version: this.#filters.version,
        count: 0,
        enforced: 'yes',
        since: this.#started_s,
        ...(this.#before ? { pending: { version: this.#filters.version, undoAt: 0 } } : {}),
      },
      addresses: this.failing.has('claim')
        ? [this.#address, this.nextAddress, '0.0.0.0', '224.0.0.1', 'no address']
        : [this.#address],
      locked: false,
      quarantine: { on: false },
      undone: [],
      nextEvent: this.nextEvent,
    };
  }
}

export function newNonce(): string {
  return toB64u(randomBytes(32));
}
