import type { ConsoleParts } from '../daemon/daemon.js';
import { unanswered } from '../granting/asked.js';
import { NodeSession } from '../nodes/session.js';
import { provenReceipts, receiptTexts } from '../nodes/receipts.js';
import { askBlindness, wordsOf } from '../nodes/proving.js';
import type { Op } from '../store/port.js';
import { Records, type Stored } from '../store/records.js';
import { rights } from '../../protocol/commands.js';
import { digestText, idText, publicJwk } from '../../protocol/fields.js';
import type { HandOver } from '../../protocol/hand-over.js';
import { identityOf, levelKeyOf, type NodeCard } from '../../protocol/node-card.js';
import { limits } from '../../protocol/limits.js';
import { list, object, opaqueObject, oneOf, type Parsed } from '../../protocol/parse.js';
import { newId } from '../../protocol/request.js';
import type { LeaseNews } from './follow.js';
import { isAsked, takenPrefix, takingForm, type Taking } from './record.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** What a node answers to `lease.take`. */
const takenForm = object({
  lease: idText,
  pair: object({ id: digestText, jwk: publicJwk }),
  symmetric: idText,
  everEnrolled: list(digestText, { min: 1, max: limits.consoles_ever_enrolled_max }),
  rights: list(oneOf(...rights), { max: rights.length }),
  receipts: receiptTexts,
});

/** What the node says of its levels, as far as the hand-over promised something of them. */
const levelsForm = list(opaqueObject, { max: limits.levels_max });

interface Answered {
  readonly taken: Parsed<typeof takenForm>;
  /** When the lease ends, as the node says. */
  readonly until: number | undefined;
  readonly blindness: readonly string[];
}

export type { Taking } from './record.js';

export interface Wanted {
  readonly handOver: HandOver;
  /** Identities that came by another way than the file, by the name of the node. */
  readonly pins: Readonly<Record<string, string>>;
  /** What nodes are called here, where another facility's node has that name already. */
  readonly names?: Readonly<Record<string, string>>;
}

export interface Outcome {
  readonly node: string;
  readonly taken: boolean;
  readonly code?: string;
  readonly detail?: string;
  readonly taking: Taking;
  /** What the node proved of its keys right after, or why it did not. */
  readonly blindness?: readonly string[];
  /** What the hand-over promised, when the node has it otherwise. */
  readonly promised?: { readonly until: number; readonly rights: readonly string[] };
}

const endedForm = object({
  ended: list(idText, { max: limits.levels_max }),
  reason: oneOf('ended'),
  receipts: receiptTexts,
});

/** The leases that this console holds: takes those of a hand-over, each on its own, and remembers them. */
export class HeldLeases {
  readonly #parts: ConsoleParts;
  readonly #records: Records<Taking>;
  readonly #busy = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
    this.#records = new Records(parts.store, takenPrefix, takingForm);
  }

  /** A taking that nobody answered is asked again until its node does: the node may have acted, and nobody else learns the new pair. */
  start(): void {
    this.#timer = setInterval(() => void this.#askAgain(), limits.settle_leases_ms);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #askAgain(): Promise<void> {
    const all = await this.all();
    const now = this.#parts.clocks.wall();
    const open = all.ok ? all.value.filter((one) => isAsked(one, now)) : [];
    await Promise.all(open.map(async (taking) => this.#takeOne(taking)));
  }

  async all(): Promise<Result<readonly Taking[]>> {
    const all = await this.#records.all();
    return all.ok ? ok(all.value.map(({ value }) => value)) : all;
  }

  /** Everything that can be judged from the file alone is judged before any node is asked. */
  async take(wanted: Wanted): Promise<Result<readonly Outcome[]>> {
    const { pair, clocks } = this.#parts;
    const { handOver, pins, names = {} } = wanted;
    if (!handOver.to.includes(pair.public.id))
      return refuse('not-for-us', `it is for ${handOver.to.join(', ')}; this console is ${pair.public.id}`);
    const plans: [NodeCard, Taking][] = [];
    for (const { card: given, until, rights } of handOver.leases) {
      const card = { ...given, name: names[given.name] ?? given.name };
      const identity = identityOf(card);
      if (!identity.ok) return identity;
      const free = this.#nameIsFree(given.name, card.name, identity.value.id);
      if (!free.ok) return free;
      const pin = pins[given.name];
      if (pin !== undefined && pin !== identity.value.id)
        return refuse(
          'wrong-identity',
          `${given.name} is ${identity.value.id} in the file, ${pin} by its label`,
        );
      if (until * 1000 <= clocks.wall()) return refuse('lease-over', `${card.name} until ${until}`);
      plans.push([
        card,
        {
          state: 'taking',
          card,
          facility: handOver.facility,
          id: newId(),
          until,
          rights,
          identity: pin === undefined ? 'unverified' : 'pinned',
          strangers: [],
          receipts: [],
        },
      ]);
    }
    for (const name of [...Object.keys(pins), ...Object.keys(names)])
      if (!handOver.leases.some(({ card }) => card.name === name))
        return refuse('not-found', `no ${name} in the hand-over`);
    const called = plans.map(([card]) => card.name);
    if (new Set(called).size !== called.length) return refuse('bad-input', 'two nodes get one name');
    const outcomes = await Promise.all(plans.map(async ([, taking]) => this.#takeOne(taking)));
    return ok(outcomes);
  }

  /** A lease that the landlord ended, or moved the end of, is shown as what it is. */
  async learn({ lease, over, until }: LeaseNews): Promise<void> {
    const found = await this.#records.get(lease);
    if (!found.ok || found.value.value.state !== 'taken') return;
    const { value: held, revision } = found.value;
    if (!over && (until === undefined || until === held.until)) return;
    const now: Taking = { ...held, until: until ?? held.until, state: over ? 'ended' : 'taken' };
    const kept = await this.#records.put(lease, now, revision);
    if (!kept.ok) this.#parts.log.warn('lease-not-noted', { lease, code: kept.refusal.code });
  }

  /** What the node signed about a lease: of one that ended, which keys were destroyed and when. */
  async receipts(node: string): Promise<Result<readonly string[]>> {
    const found = await this.#latest(node);
    return found.ok ? ok(found.value.value.receipts) : found;
  }

  /** Gives a lease back before its end. The node destroys its keys, and says so, signed, in the same answer: there is no second one. */
  async end(node: string, destroys: string): Promise<Result<Taking>> {
    const found = await this.#latest(node);
    if (!found.ok) return found;
    const { value: held } = found.value;
    if (held.state !== 'taken') return refuse('lease-over', node);
    const { lease } = held.card;
    if (destroys !== lease) return refuse('destroys-not-named', undefined, { data: { destroys: [lease] } });
    const { book, log } = this.#parts;
    const reply = await book.request(node, { type: 'lease.end', lease });
    if (!reply.ok) return reply;
    const said = endedForm(reply.value.result ?? {}, 'answer');
    if (!said.ok) return said;
    const receipts = await provenReceipts(said.value.receipts, held.card, log);
    const ended: Taking = { ...this.#over(held), receipts: [...held.receipts, ...receipts] };
    const kept = await this.#records.put(lease, ended);
    if (!kept.ok) return kept;
    await book.remove(node);
    return ok(ended);
  }

  /** A node may have been leased before. */
  async #latest(node: string): Promise<Result<Stored<Taking>>> {
    const all = await this.#records.all();
    if (!all.ok) return all;
    const mine = all.value.filter(({ value }) => value.card.name === node && value.state !== 'taking');
    const [last] = mine.toSorted((a, b) => (b.value.over_ms ?? 0) - (a.value.over_ms ?? 0));
    const found = mine.find(({ value }) => value.state === 'taken') ?? last;
    return found ? ok(found) : refuse('lease-unknown', `this console holds no lease of ${node}`);
  }

  /** A lease that was taken and then found no place here would be one that nobody can speak for. */
  #nameIsFree(given: string, name: string, identity: string): Result<true> {
    const all = this.#parts.book.list();
    const other = all.find(({ card, id }) => card.name === name && id !== identity);
    if (other)
      return refuse(
        'already-there',
        `another node is called ${name} here: give this one a name of its own with --name ${given}=NAME`,
      );
    const twin = all.find(({ card, id }) => id === identity && card.name !== name);
    return twin
      ? refuse('already-there', `${given} is here as ${twin.card.name}: --name ${given}=${twin.card.name}`)
      : ok(true);
  }

  async #takeOne(wanted: Taking): Promise<Outcome> {
    const { lease, name } = wanted.card;
    if (this.#busy.has(lease))
      return { node: name, taken: false, code: 'change-pending', detail: 'being taken', taking: wanted };
    this.#busy.add(lease);
    try {
      return await this.#takeInTurn(wanted);
    } finally {
      this.#busy.delete(lease);
    }
  }

  async #takeInTurn(wanted: Taking): Promise<Outcome> {
    const { card } = wanted;
    const failed = (code: string, detail = ''): Outcome => ({
      node: card.name,
      taken: false,
      code,
      detail,
      taking: wanted,
    });
    const before = await this.#records.get(card.lease);
    if (before.ok && before.value.value.state === 'taken') return failed('already-there', 'taken before');
    // An old file: what this console keeps of that lease, its receipts above all, stays as it is.
    if (before.ok && before.value.value.state === 'ended')
      return failed(
        'lease-over',
        'this console held it, and it has ended: a new lease comes with a new hand-over',
      );
    // A second try goes out with the id of the first, so that the node acts once.
    const { refused: _, ...again } = wanted;
    const taking = before.ok ? { ...again, id: before.value.value.id } : again;
    const noted = await this.#records.put(card.lease, taking);
    if (!noted.ok) return failed(noted.refusal.code, noted.refusal.detail);
    const answer = await this.#ask(taking);
    if (!answer.ok) {
      const { code, detail } = answer.refusal;
      if (isAnswer(code)) await this.#records.put(card.lease, { ...taking, refused: code });
      return failed(code, detail);
    }
    const { blindness, taken: said, until = taking.until } = answer.value;
    const { pair, everEnrolled, rights } = said;
    const own: NodeCard = { ...card, key: pair.jwk };
    const strangers = everEnrolled.filter((id) => id !== this.#parts.pair.public.id);
    const receipts = await provenReceipts(said.receipts, card, this.#parts.log);
    const taken: Taking = { ...taking, state: 'taken', card: own, until, rights, strangers, receipts };
    const promised = { until: taking.until, rights: taking.rights };
    // The new U goes into the store at once: without it nobody can address the level any more.
    const kept = await this.#parts.store.write([
      this.#records.op(card.lease, taken),
      ...(await this.#before(taken)),
    ]);
    if (!kept.ok) return failed(kept.refusal.code, kept.refusal.detail);
    // A node that was leased before comes back under its name with a new lease.
    const { book } = this.#parts;
    const added = book.get(own.name).ok ? await book.replace(own) : await book.add(own);
    if (!added.ok) return { ...failed(added.refusal.code, added.refusal.detail), taken: true, taking: taken };
    return { node: card.name, taken: true, taking: taken, blindness, promised };
  }

  #over(lease: Taking): Taking {
    return { ...lease, state: 'ended', over_ms: this.#parts.clocks.wall() };
  }

  /** A node has one chain, and this console one place in it: with a new lease the one that it held there is over. */
  async #before({ card }: Taking): Promise<readonly Op[]> {
    const all = await this.#records.all();
    return (all.ok ? all.value : []).flatMap(({ name, value }) =>
      value.state === 'taken' && value.card.name === card.name && value.card.lease !== card.lease
        ? [this.#records.op(name, this.#over(value))]
        : [],
    );
  }

  async #ask(taking: Taking): Promise<Result<Answered>> {
    const { card } = taking;
    const { pair, config, book, clocks } = this.#parts;
    const key = levelKeyOf(card);
    if (!key.ok) return key;
    const identity = identityOf(card);
    if (!identity.ok) return identity;
    const channel = await book.connectTo(card);
    if (!channel.ok) return channel;
    const { nodeKeyBits: keyBits } = config;
    const session = new NodeSession(channel.value, pair, identity.value.id, clocks, { keyBits });
    const reply = await session.request({
      to: { level: card.level, lease: card.lease, key: key.value },
      jti: taking.id,
      command: {
        type: 'lease.take',
        roster: [{ key: pair.public.jwk, name: config.name, role: 'administrator' }],
        key: true,
      },
    });
    const taken = reply.ok ? takenForm(reply.value.result ?? {}, 'answer') : reply;
    const own = taken.ok ? { ...card, key: taken.value.pair.jwk } : card;
    const blindness = taken.ok ? await provenIn(session, own) : [];
    const until = taken.ok ? await endIn(session, own) : undefined;
    session.close('done');
    return taken.ok ? ok({ taken: taken.value, blindness, until }) : taken;
  }
}

/** After anything else the node may have acted all the same. */
function isAnswer(code: string): boolean {
  return !unanswered.has(code) && !code.startsWith('gateway-') && code !== 'no-spare-pair';
}

/** The first question under the new pair: is the landlord blind now? */
async function provenIn(session: NodeSession, card: NodeCard): Promise<readonly string[]> {
  const key = levelKeyOf(card);
  const { level, lease } = card;
  const asked = key.ok
    ? await askBlindness(card, (command) =>
        session.request({ to: { level, lease, key: key.value }, command }),
      )
    : key;
  if (asked.ok) return wordsOf(asked.value.checked);
  const { code, detail = '' } = asked.refusal;
  return [`WARNING: blindness is not proved: ${code} ${detail}`.trim()];
}

/** When the lease ends is what the node says, whatever the file of the landlord said. */
async function endIn(session: NodeSession, card: NodeCard): Promise<number | undefined> {
  const key = levelKeyOf(card);
  if (!key.ok) return undefined;
  const { level, lease } = card;
  const reply = await session.request({
    to: { level, lease, key: key.value },
    command: { type: 'levels.read' },
  });
  const levels = reply.ok ? levelsForm(reply.value.result?.['levels'], 'levels') : reply;
  const own = levels.ok ? levels.value.find((one) => one['lease'] === lease) : undefined;
  return typeof own?.['until'] === 'number' ? own['until'] : undefined;
}

/** Where the landlord's file and the node differ, the node is right, and it is said. */
function brokenPromises({ taking, promised }: Outcome): readonly string[] {
  if (!promised) return [];
  const day = (at: number): string => new Date(at * 1000).toISOString();
  const less = promised.rights.filter((right) => !taking.rights.some((one) => one === right));
  return [
    ...(promised.until > taking.until
      ? [
          `WARNING: the hand-over said until ${day(promised.until)}; the node ends the lease at ${day(taking.until)}`,
        ]
      : []),
    ...(less.length > 0
      ? [`WARNING: the hand-over promised rights that the node did not grant: ${less.join(', ')}`]
      : []),
  ];
}

/** Who can now do what, in the words of the spec. */
export function explain(outcome: Outcome): readonly string[] {
  const { taking, blindness = [] } = outcome;
  const lines = [
    `only this console speaks for level ${taking.card.level}: the node has a new pair, and whoever saw the hand-over can neither read nor command`,
    'the disk key now needs your K as well: the landlord alone cannot derive it',
    ...blindness,
    'the landlord still decides which peers the node may talk to, may reboot it, and may end the lease, which destroys your data',
  ];
  lines.push(...brokenPromises(outcome));
  if (taking.strangers.length > 0)
    lines.push(
      `WARNING: before you took it, other keys could speak for this level: ${taking.strangers.join(', ')}; ask the landlord who they are`,
    );
  if (taking.identity === 'unverified')
    lines.push(
      'identity unverified: nothing but the hand-over says that this is the node you leased; compare its label and give --pin',
    );
  return lines;
}
