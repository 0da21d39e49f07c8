import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { NodeBook } from '../../console/nodes/book.js';
import type { Pair } from '../../crypto/rsa.js';
import { signerOf } from '../../crypto/signer.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { identityOf, type Way } from '../../protocol/node-card.js';
import { codesOf, commitmentOf, freshNonce, revealedKey, sameCode } from '../../protocol/pairing/codes.js';
import { acceptedTyp, adoptedClaims, adoptedTyp, type Hello } from '../../protocol/pairing/messages.js';
import { readStatement, signStatement } from '../../protocol/pairing/statement.js';
import { PairingTalk } from '../../protocol/pairing/talk.js';
import { newId } from '../../protocol/request.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { socketChannel } from '../../protocol/socket.js';
import type { Inventory, Place } from './inventory.js';
import { comparingWith, type Comparing } from './comparing.js';

/**
 * A machine at the desk:
 *
 *     waiting ──begin──▶ comparing ──the right code──▶ accepted ──its card──▶ adopted
 *        └────────────────────┴──────────────────────────┴──wrong code, lost, too late──▶ ended
 */
export const standings = ['waiting', 'comparing', 'accepted', 'adopted', 'ended'] as const;

export interface AtDesk {
  readonly id: string;
  readonly source: string;
  readonly since: number;
  readonly hello: Hello;
  readonly talk: PairingTalk;
  standing: (typeof standings)[number];
  comparing?: Comparing;
  /** The name it got, once it is accepted. */
  name?: string;
  /** Why it ended. */
  why?: Refusal;
}

export interface DeskParts {
  readonly pair: Pair;
  readonly name: string;
  gateways(): Promise<readonly Way[]>;
  readonly nodes: NodeBook;
  readonly inventory: Inventory;
  readonly now: () => number;
  readonly log: Log;
}

export interface Acceptance {
  readonly code: string;
  readonly name: string;
  readonly place: Place;
  readonly by: string;
}

/**
 * Where machines without a landlord wait to be adopted.
 *
 * INVARIANTS:
 * - This console reveals nothing before somebody began for this one machine, and each begin reveals once: whoever stands between gets one
 *   try for each act of a person.
 * - A machine is in the book only after the code that it showed was typed here, and after it said that ours was typed there.
 */
export class AdoptionDesk {
  readonly #parts: DeskParts;
  readonly #machines = new Map<string, AtDesk>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  list(): readonly AtDesk[] {
    return [...this.#machines.values()];
  }

  get(id: string): Result<AtDesk> {
    const machine = this.#machines.get(id);
    return machine ? ok(machine) : refuse('not-found', `no machine ${id} waits`);
  }

  close(): void {
    for (const { talk } of this.#machines.values())
      talk.refuse({ code: 'pairing-ended', detail: 'the console stops' });
  }

  accept(socket: WebSocket, source: string): void {
    const present = this.list().filter(({ standing }) => standing !== 'ended' && standing !== 'adopted');
    const fromThere = present.filter((machine) => machine.source === source).length;
    if (present.length >= limits.pairing_waiting_max || fromThere >= limits.pairing_per_source_max)
      return socket.terminate();
    const late = setTimeout(() => socket.terminate(), limits.gateway_proof_ms_max);
    const talk = new PairingTalk(socketChannel(socket, source));
    let alive = true;
    const ping = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      socket.ping();
    }, limits.gateway_ping_ms);
    socket.on('pong', () => (alive = true));
    socket.once('close', () => {
      clearTimeout(late);
      clearInterval(ping);
    });
    void talk.next('hello').then((hello) => {
      clearTimeout(late);
      if (hello.ok) this.#seat(talk, source, hello.value);
    });
  }

  #seat(talk: PairingTalk, source: string, hello: Hello): void {
    const { now, log } = this.#parts;
    const machine: AtDesk = { id: newId(), source, since: now(), hello, talk, standing: 'waiting' };
    this.#machines.set(machine.id, machine);
    log.info('adoption.waiting', { id: machine.id, source, name: hello.name });
    talk.onEnd = (why) => this.#over(machine, why);
  }

  #over(machine: AtDesk, why: Refusal): void {
    clearTimeout(machine.comparing?.late);
    if (machine.standing === 'adopted') return;
    const waited = machine.standing === 'waiting';
    machine.standing = 'ended';
    machine.why = why;
    this.#parts.log.info('adoption.ended', { id: machine.id, code: why.code, detail: why.detail });
    if (waited) this.#machines.delete(machine.id);
    const over = this.list().filter(({ standing }) => standing === 'ended' || standing === 'adopted');
    for (const { id } of over.slice(0, -limits.pairing_ended_kept_max)) this.#machines.delete(id);
  }

  /** Somebody begins with this machine: keys are exchanged, and what to type at the machine is known. */
  async begin(id: string): Promise<Result<{ readonly code: string }>> {
    const found = this.get(id);
    if (!found.ok) return found;
    const machine = found.value;
    if (machine.standing !== 'waiting') return refuse('pairing-ended', `it is ${machine.standing} already`);
    machine.standing = 'comparing';
    const { talk, hello } = machine;
    const own = { key: this.#parts.pair.public.jwk, nonce: freshNonce(randomBytes(32)) };
    talk.send('commit', { commit: commitmentOf('console', own) });
    const theirs = await talk.next('reveal');
    if (!theirs.ok) return theirs;
    const key = revealedKey('machine', hello.commit, theirs.value);
    if (!key.ok) {
      talk.refuse(key.refusal);
      return key;
    }
    talk.send('reveal', own);
    const codes = codesOf(theirs.value, own);
    machine.comparing = comparingWith(talk, key.value, codes);
    this.#parts.log.info('adoption.begun', { id, transcript: codes.transcript });
    return ok({ code: codes.console });
  }

  /** The code that the machine shows was typed here. A wrong one ends it. What follows takes as long as the machine needs. */
  async finish(id: string, acceptance: Acceptance): Promise<Result<AtDesk>> {
    const found = this.get(id);
    if (!found.ok) return found;
    const machine = found.value;
    const { comparing, talk } = machine;
    // The machine may have ended it while the code was being typed here: then why it did is what is told.
    if (machine.standing === 'ended' && machine.why) return refuse(machine.why.code, machine.why.detail);
    if (machine.standing !== 'comparing' || !comparing)
      return refuse('pairing-ended', `it is ${machine.standing}`);
    const { nodes, pair, name } = this.#parts;
    if (nodes.get(acceptance.name).ok) return refuse('already-there', `a node ${acceptance.name} is here`);
    if (!sameCode(comparing.codes.machine, acceptance.code)) {
      const why = { code: 'pairing-code-wrong', detail: 'at the console' } as const;
      talk.refuse(why);
      return refuse(why.code, why.detail);
    }
    machine.standing = 'accepted';
    machine.name = acceptance.name;
    const { transcript } = comparing.codes;
    const gateways = await this.#parts.gateways();
    const claims = { v: 1, transcript, console: name, name: acceptance.name, gateways };
    const jws = await signStatement(signerOf(pair), acceptedTyp, claims);
    talk.send('accepted', { jws });
    void this.#await(machine, comparing, acceptance, jws);
    return ok(machine);
  }

  async #await(machine: AtDesk, comparing: Comparing, acceptance: Acceptance, own: string): Promise<void> {
    const message = await machine.talk.next('adopted');
    if (!message.ok) return;
    const { jws } = message.value;
    const taken = await this.#takeIn(comparing, acceptance, own, jws);
    if (!taken.ok) return machine.talk.refuse(taken.refusal);
    machine.standing = 'adopted';
    clearTimeout(comparing.late);
    machine.talk.send('done', {});
    this.#parts.log.info('adoption.done', { id: machine.id, name: acceptance.name, by: acceptance.by });
  }

  async #takeIn(
    { key, codes }: Comparing,
    { name, place, by }: Acceptance,
    own: string,
    jws: string,
  ): Promise<Result<unknown>> {
    const expected = { typ: adoptedTyp, key, transcript: codes.transcript, form: adoptedClaims };
    const claims = await readStatement(jws, expected);
    if (!claims.ok) return claims;
    const { card, hardware } = claims.value;
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    if (card.name !== name || card.level !== 0)
      return refuse('pairing-broken', 'the card is not the one that was agreed on');
    const { inventory, nodes, now } = this.#parts;
    const adopted = { at: now(), by, identity: identity.value.id, console: own, machine: jws };
    const kept = await inventory.put({ name, ...place, hardware, adopted });
    return kept.ok ? nodes.add(card) : kept;
  }
}
