import { digestOf } from '../crypto/bytes.js';
import { isCanonical, readHeader, verify, verifyBeside } from '../crypto/jose.js';
import { publicKeyFromJwk, type PublicKey } from '../crypto/rsa.js';
import { parseCommand, type Command, type ConsoleKey } from './commands.js';
import { digestText, idText } from './fields.js';
import { parseJson } from './json.js';
import { limits } from './limits.js';
import { object, opaqueObject, whole, type Parsed } from './parse.js';
import { historyHead, requestTyp, type HistoryHead } from './request.js';
import { ok, refuse, type Result } from './result.js';

export const checkpointTyp = 'bm-checkpoint+jws';

/** The `previous` of the first entry. */
const noEntry = 'A'.repeat(43);
const seconds = whole({ min: 0, max: 32_503_680_000 });

const checkpointForm = object({
  v: whole({ min: 1, max: 1 }),
  level: whole({ min: 0, max: 255 }),
  lease: idText,
  seq: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  digest: digestText,
  time: seconds,
});
export type Checkpoint = Parsed<typeof checkpointForm>;

export interface ExportedHistory {
  /** To the letter, as the node gave them. */
  readonly lines: readonly string[];
  readonly checkpoint?: string;
}

export interface Trust {
  /** N of the node, from its card, never from the file. */
  readonly identity: PublicKey;
  /** Keys of consoles that are known from elsewhere. Keys that verified statements enroll are trusted in turn. */
  readonly consoles: readonly PublicKey[];
  /** Heads of this history that were seen before: in an earlier export, or in a reply. */
  readonly seen: readonly HistoryHead[];
  /** Told of every line that holds so far. Nothing of it counts before the whole was found good. */
  readonly line?: (line: HistoryLine) => void;
}

/** Who signed what a line says: a console whose key is known, one whose key is not, or nobody, because it is not ours to see whole. */
export type Statement = 'none' | 'good' | 'signer-unknown';

/** One line of a history, read. */
export interface HistoryLine {
  readonly seq: number;
  /** Seconds since 1970, by the clock of the node. */
  readonly time: number;
  readonly command: string;
  readonly sees: string;
  /** A console of some level, or the node itself. */
  readonly by: { readonly console?: string; readonly level?: number; readonly node?: string };
  readonly outcome?: Readonly<Record<string, unknown>>;
  readonly statement: Statement;
}

export interface VerifiedHistory {
  readonly lease: string;
  readonly level: number;
  readonly first: number;
  readonly head: HistoryHead;
  readonly statements: { readonly good: number; readonly signerUnknown: number };
  /** The keys that were trusted, with those that this history enrolled. */
  readonly consoles: readonly PublicKey[];
  /** What the node itself signed; absent when the file has none. */
  readonly checkpoint?: Checkpoint;
}

interface Entry {
  readonly seq: number;
  readonly previous: string;
  readonly node: string;
  readonly lease: string;
  readonly level: number;
  readonly command: string;
  readonly sees: string;
  readonly jti?: string;
  readonly statement?: string;
  readonly time?: unknown;
  readonly outcome?: unknown;
  readonly by: HistoryLine['by'];
}

/**
 * Checks a history without the node: every line follows the one before it, every signed statement is by the console it names and says what
 * the line says, the node signed the head, and what was seen of it before lies on it.
 */
export async function verifyHistory(
  { lines, checkpoint }: ExportedHistory,
  trust: Trust,
): Promise<Result<VerifiedHistory>> {
  const keys = new Map(trust.consoles.map((key) => [key.id, key]));
  const heads = new Map<number, string>();
  const statements = new StatementsInTurn(trust);
  let last: (Entry & { readonly digest: string }) | undefined;
  let first: Entry | undefined;
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1}`;
    const entry = nextEntry(line, last, trust, where);
    if (!entry.ok) {
      // What is wrong in an earlier line is told first.
      const before = await statements.settled();
      return before.ok ? entry : before;
    }
    statements.add(entry.value, statementOf(entry.value, keys, where));
    if (statements.waiting >= limits.history_signatures_at_once_max || enrolls(entry.value.command)) {
      const good = await statements.settled();
      if (!good.ok) return good;
    }
    first ??= entry.value;
    last = { ...entry.value, digest: digestOf(line) };
    heads.set(last.seq, last.digest);
  }
  const good = await statements.settled();
  if (!good.ok) return good;
  if (!first || !last) return refuse('bad-input', 'there is no line in it');
  heads.set(first.seq - 1, first.previous);
  const head = { seq: last.seq, digest: last.digest };
  for (const seen of trust.seen) {
    const lies = liesOn(seen, head, heads);
    if (!lies.ok) return lies;
  }
  const { lease, level } = last;
  const result = {
    lease,
    level,
    first: first.seq,
    head,
    statements: statements.counted,
    consoles: [...keys.values()],
  };
  if (checkpoint === undefined) return ok(result);
  const vouched = await verifyCheckpoint(checkpoint, trust.identity);
  if (!vouched.ok) return vouched;
  if (vouched.value.lease !== lease) return refuse('history-broken', 'the checkpoint is of another lease');
  if (vouched.value.seq > head.seq)
    return refuse('history-incomplete', `the node signed ${vouched.value.seq} entries, here are ${head.seq}`);
  const same = liesOn(vouched.value, head, heads);
  return same.ok ? ok({ ...result, checkpoint: vouched.value }) : same;
}

/** Statements whose signatures are being verified, on the platform's other threads; what came of them is told in the order of the lines. */
class StatementsInTurn {
  readonly counted = { good: 0, signerUnknown: 0 };
  readonly #trust: Trust;
  #begun: { readonly entry: Entry; readonly signed: Promise<Result<Statement>> }[] = [];

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  get waiting(): number {
    return this.#begun.length;
  }

  add(entry: Entry, signed: Promise<Result<Statement>>): void {
    this.#begun.push({ entry, signed });
  }

  /** Waits for all that were begun: the refusal of the first of them that does not hold. */
  async settled(): Promise<Result<void>> {
    const begun = this.#begun.splice(0);
    for (const { entry, signed } of begun) {
      const found = await signed;
      if (!found.ok) return found;
      if (found.value === 'good') this.counted.good += 1;
      if (found.value === 'signer-unknown') this.counted.signerUnknown += 1;
      this.#trust.line?.(readLine(entry, found.value));
    }
    return ok(undefined);
  }
}

export async function verifyCheckpoint(jws: string, identity: PublicKey): Promise<Result<Checkpoint>> {
  const header = readHeader('signed', jws, checkpointTyp);
  if (!header || !isCanonical(jws)) return refuse('malformed', 'not a checkpoint');
  if (header.kid !== identity.id)
    return refuse('bad-signature', `signed by ${header.kid}, not by the node that you trust`);
  const payload = await verify(identity.key, jws);
  if (!payload) return refuse('bad-signature', 'the checkpoint');
  const json = parseJson(payload);
  return json.ok ? checkpointForm(json.value, 'checkpoint') : json;
}

function entryIn(line: string, where: string): Result<Entry> {
  const json = parseJson(line);
  const parsed = json.ok ? opaqueObject(json.value, where) : json;
  if (!parsed.ok) return refuse('history-broken', parsed.refusal.detail, { where });
  const { seq, previous } = parsed.value;
  const marks = historyHead({ seq, digest: previous }, where);
  const { node, lease, command, sees, by } = parsed.value;
  const whole =
    [node, lease, command, sees].every((it) => typeof it === 'string') &&
    typeof by === 'object' &&
    by !== null;
  return marks.ok && whole
    ? ok(parsed.value as unknown as Entry)
    : refuse('history-broken', 'not an entry of a history', { where });
}

function readLine({ seq, time, command, sees, by, outcome }: Entry, statement: Statement): HistoryLine {
  const said = opaqueObject(outcome, 'outcome');
  return {
    seq,
    time: typeof time === 'number' ? time : 0,
    command,
    sees,
    by,
    statement,
    ...(said.ok ? { outcome: said.value } : {}),
  };
}

function nextEntry(
  line: string,
  last: (Entry & { readonly digest: string }) | undefined,
  { identity }: Trust,
  where: string,
): Result<Entry> {
  const entry = entryIn(line, where);
  const follows = entry.ok ? followsOn(entry.value, last, identity.id, where) : entry;
  return follows.ok ? entry : follows;
}

function followsOn(
  entry: Entry,
  last: (Entry & { readonly digest: string }) | undefined,
  node: string,
  where: string,
): Result<void> {
  const broken = (detail: string): Result<void> => refuse('history-broken', detail, { where });
  if (entry.node !== node) return broken(`of the node ${entry.node}, not of the one that you trust`);
  if (entry.seq === 1 && entry.previous !== noEntry) return broken('the first entry follows another');
  if (!last) return ok(undefined);
  if (entry.lease !== last.lease) return broken('of another lease than the line before');
  if (entry.seq !== last.seq + 1) return broken(`entry ${entry.seq} stands after ${last.seq}`);
  return entry.previous === last.digest ? ok(undefined) : broken('does not follow the line before it');
}

/** A head that was seen before must be on the chain, as far as the chain still reaches back. */
function liesOn(seen: HistoryHead, head: HistoryHead, heads: ReadonlyMap<number, string>): Result<void> {
  if (seen.seq > head.seq)
    return refuse('history-incomplete', `${seen.seq} entries were seen before, here are ${head.seq}`);
  const here = heads.get(seen.seq);
  if (here === undefined || here === seen.digest) return ok(undefined);
  return refuse('history-fork', `entry ${seen.seq} is ${here} here and was ${seen.digest}`);
}

async function statementOf(
  entry: Entry,
  keys: Map<string, PublicKey>,
  where: string,
): Promise<Result<Statement>> {
  if (entry.sees !== 'statement' || entry.statement === undefined) return ok('none');
  const broken = (detail: string): Result<never> => refuse('history-broken', detail, { where });
  const header = readHeader('signed', entry.statement, requestTyp.statement);
  if (!header || !isCanonical(entry.statement)) return broken('its statement is not a signed one');
  if (header.kid !== entry.by.console)
    return broken('its statement is signed by another console than it names');
  const key = keys.get(header.kid);
  if (!key) return ok('signer-unknown');
  const payload = await verifyBeside(key.key, entry.statement);
  if (!payload) return broken('the signature of its statement does not match');
  const json = parseJson(payload);
  const claims = json.ok ? opaqueObject(json.value, '') : json;
  const command = claims.ok ? parseCommand(claims.value['command'], '') : claims;
  if (!claims.ok || !command.ok) return broken('its statement is not a request');
  if (
    claims.value['jti'] !== entry.jti ||
    command.value.type !== entry.command ||
    claims.value['level'] !== entry.by.level
  )
    return broken('its statement says something else than the line');
  for (const { key: jwk } of enrolledBy(command.value)) {
    const enrolled = publicKeyFromJwk(jwk);
    if (enrolled) keys.set(enrolled.id, enrolled);
  }
  return ok('good');
}

/** By what the line says; a statement that says something else is refused, so that it enrolls nobody. */
function enrolls(command: string): boolean {
  return ['consoles.add', 'lease.grant', 'lease.take'].includes(command);
}

/** Who a verified statement enrolls speaks later in the same history: no later statement is looked at before this one is verified. */
function enrolledBy(command: Command): readonly ConsoleKey[] {
  if (command.type === 'consoles.add') return [command.console];
  if (command.type === 'lease.grant') return command.to;
  return command.type === 'lease.take' ? command.roster : [];
}

/**
 * An exported history: the lines, one a line, with the checkpoint as the last one; or what `history.read` gave, one page a line, oldest first.
 */
export function historyIn(content: string): Result<ExportedHistory> {
  const texts = content.split('\n').filter((text) => text.trim() !== '');
  const lines: string[] = [];
  let checkpoint: string | undefined;
  for (const text of texts) {
    if (!text.startsWith('{')) {
      checkpoint = text;
      continue;
    }
    const json = parseJson(text);
    if (!json.ok) return refuse('history-broken', json.refusal.detail, { where: `line ${lines.length + 1}` });
    const page = pageIn(json.value);
    if (page === undefined) lines.push(text);
    else {
      lines.push(...page.lines);
      checkpoint = page.checkpoint ?? checkpoint;
    }
  }
  return ok({ lines, ...(checkpoint === undefined ? {} : { checkpoint }) });
}

function pageIn(value: unknown): ExportedHistory | undefined {
  if (typeof value !== 'object' || value === null || !('lines' in value)) return undefined;
  const { lines } = value;
  if (!Array.isArray(lines) || !lines.every((line): line is string => typeof line === 'string'))
    return undefined;
  const checkpoint = 'checkpoint' in value ? value.checkpoint : undefined;
  return { lines, ...(typeof checkpoint === 'string' ? { checkpoint } : {}) };
}
