import type { Applied, FirewallProgram } from '../../ports/firewall.js';
import {
  epoch_max,
  epochOfMark,
  latchName,
  place,
  tableName,
  wholeText,
  withoutLatch,
} from '../../ports/firewall-text.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { endKeepers, haltKeepers } from './keeper.js';
import {
  glanceAtRules,
  listTables,
  outsideLatches,
  readListing,
  differing,
  ourTables,
  type Listed,
} from './listing.js';
import { NftShell, type Prefix } from './nft-shell.js';
import { runTool } from './tool.js';
import { rulesKey, unnumbered } from './unnumbered.js';
import { id, rebuild, transition, type Standing, type Transition } from './transition.js';

export interface Comparing {
  readonly elements: boolean;
  /** Without elements, and quickly: what seems to differ is to be compared again. */
  readonly glance?: true;
  /** Whoever wants to change something does not wait for it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts programs into the kernel and knows what stands there.
 *
 * INVARIANTS:
 * - `#standing` is what the kernel holds, or undefined when that is not known for certain.
 * - A program is wanted from the moment the kernel took it; a program that was refused is never repaired to.
 */
export class Applier {
  readonly #prefix: Prefix;
  readonly #shell: NftShell;
  #standing: Standing | undefined;
  #wanted: FirewallProgram | undefined;
  #rules: { readonly key: string; readonly text: string } | undefined;
  #ahead:
    { readonly from: Standing; readonly program: FirewallProgram; readonly plan: Transition } | undefined;
  #epoch = 0;
  #slot = 1;

  constructor(prefix: Prefix) {
    this.#prefix = prefix;
    this.#shell = new NftShell(prefix);
  }

  get standing(): Standing | undefined {
    return this.#standing;
  }

  /** Is there a program that the kernel should hold? */
  get active(): boolean {
    return this.#wanted !== undefined;
  }

  get shellPid(): number | undefined {
    return this.#shell.pid;
  }

  /** It holds only as long as what stands is what it begins with. */
  workOut(program: FirewallProgram): void {
    const from = this.#standing;
    this.#ahead = from && { from, program, plan: transition(from, program) };
  }

  async apply(program: FirewallProgram): Promise<Result<Applied>> {
    if (this.#standing === undefined) return this.#rebuild(program);
    if (this.#standing.epoch >= epoch_max - 1) {
      const cleared = await this.#clearMarks();
      if (!cleared.ok) return cleared;
      return this.#rebuild(program);
    }
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const known = ahead?.from === this.#standing && ahead.program === program;
    const done = await this.#carryOut(known ? ahead.plan : transition(this.#standing, program));
    if (done.ok || this.#wanted === undefined) return done;
    // Some of it may be in the kernel. What stood before is put back whole.
    const back = await this.#rebuild(this.#wanted);
    return back.ok ? done : back;
  }

  /** What the kernel holds, against what it should. */
  async compare(options: Comparing): Promise<Result<readonly string[]>> {
    const standing = this.#standing;
    if (standing === undefined) return ok(['unknown']);
    const actual = await (options.glance === true
      ? glanceAtRules(this.#prefix)
      : listTables(this.#prefix, options));
    if (!actual.ok) return actual;
    if (!options.elements) {
      const rules = await this.#expectedRules(standing);
      return rules.ok ? ok(differing(rules.value, unnumbered(actual.value, standing))) : rules;
    }
    const expected = await this.#expected(standing, options);
    return expected.ok ? ok(differing(expected.value, actual.value)) : expected;
  }

  async repair(): Promise<Result<Applied>> {
    if (this.#wanted === undefined) return refuse('firewall-refused', 'nothing was applied yet');
    const kept = this.#standing?.program === this.#wanted ? this.#standing?.epoch : undefined;
    this.#standing = undefined;
    return this.#rebuild(this.#wanted, kept);
  }

  close(): Promise<void> {
    return this.#shell.close();
  }

  /** Rules are looked at every other second, and most changes are of elements: what they should be is worked out again only for others. */
  async #expectedRules(standing: Standing): Promise<Result<string>> {
    const key = rulesKey(standing.program);
    if (this.#rules?.key === key) return ok(this.#rules.text);
    const listed = await this.#expected(standing, { elements: false });
    if (!listed.ok) return listed;
    const text = unnumbered(listed.value, standing);
    this.#rules = { key, text };
    return ok(text);
  }

  /** nft writes rules in its own way, so what is expected is loaded in a namespace of its own and listed there. */
  async #expected(standing: Standing, options: Comparing): Promise<Result<string>> {
    const program = options.elements ? standing.program : withoutElements(standing.program);
    const text = wholeTextOf(standing, program);
    const flags = options.elements ? '-n -s' : '-n -s -t';
    const lists = ourTables.map((table) => `nft ${flags} list table ${table}`).join(' && ');
    const command = ['unshare', '-n', 'sh', '-c', `nft -f - && ${lists}`];
    const listed = await runTool([], command, text, options.signal);
    if (!listed.ok) return listed;
    if (listed.value.code !== 0) return refuse('firewall-tool-failed', listed.value.stderr.slice(0, 500));
    return ok(listed.value.stdout);
  }

  async #rebuild(program: FirewallProgram, kept?: number): Promise<Result<Applied>> {
    if (this.#shell.pid !== undefined) return this.#build(program, (found) => found, kept);
    const keepers = await haltKeepers(this.#prefix);
    if (!keepers.ok) return keepers;
    if (keepers.value.length === 0) return this.#build(program, (found) => found);
    // Theirs may be all that is closed: it goes when our tables stand, and then ours is put behind them.
    const first = await this.#build(withoutLatch(program), outsideLatches);
    if (!first.ok) return first;
    const ended = await endKeepers(keepers.value);
    if (!ended.ok) return ended;
    return this.#standing === undefined ? first : this.#carryOut(transition(this.#standing, program));
  }

  async #build(
    program: FirewallProgram,
    looksAt: (found: Listed) => Listed,
    kept?: number,
  ): Promise<Result<Applied>> {
    const text = await listTables(this.#prefix, { elements: false });
    if (!text.ok) return text;
    const found = looksAt(readListing(text.value));
    const stamped = found.epochMark === undefined ? 0 : epochOfMark(found.epochMark);
    let epoch = Math.max(this.#epoch, stamped);
    // Flows may still carry the marks of tables that are gone, and nobody knows from which epoch.
    if (epoch === 0 || epoch >= epoch_max - 1) {
      const cleared = await this.#clearMarks();
      if (!cleared.ok) return cleared;
      epoch = 0;
    }
    // While the latch stood alone nothing was stamped, so what was known is known still.
    const flushed = !found.chains.has(stampChain) && found.tables.has(latchTable);
    if (kept !== undefined && flushed) epoch = kept - 1;
    const from = { epoch, nextSlot: Math.max(this.#slot, found.slotMax + 1) };
    const done = await this.#carryOut(rebuild(found, program, from));
    if (done.ok) return done;
    // A base chain of ours at another hook cannot be mended, only replaced.
    return this.#replace(program, from);
  }

  async #replace(
    program: FirewallProgram,
    from: { epoch: number; nextSlot: number },
  ): Promise<Result<Applied>> {
    const empty = readListing('');
    const plan = rebuild(empty, program, from);
    const tables = program.tables.flatMap((table) => [
      `add table ${place(table)}`,
      `delete table ${place(table)}`,
    ]);
    return this.#carryOut({ ...plan, fill: [], flip: [...tables, ...plan.fill, ...plan.flip] });
  }

  async #carryOut(plan: Transition): Promise<Result<Applied>> {
    this.#standing = undefined;
    this.#slot = plan.next.nextSlot;
    this.#epoch = Math.max(this.#epoch, plan.next.epoch);
    // Declarations are many and small; elements come in parts, each a transaction of its own.
    for (const part of joined(plan.fill)) {
      const filled = await this.#shell.transact(part);
      if (!filled.ok) return filled;
    }
    for (const step of [plan.settle, plan.flip]) {
      if (step.length === 0) continue;
      const taken = await this.#shell.transact(step);
      if (!taken.ok) return taken;
    }
    this.#wanted = plan.next.program;
    // What is left over harms nothing, but then what stands is not known: the next change or check builds it anew.
    const removed = plan.remove.length === 0 || (await this.#shell.transact(plan.remove)).ok;
    this.#standing = removed ? plan.next : undefined;
    const { added, removed: gone, recounted } = plan;
    return ok({ epoch: plan.next.epoch, added, removed: gone, recounted });
  }

  async #clearMarks(): Promise<Result<void>> {
    const done = await runTool(this.#prefix, ['conntrack', '-U', '--mark', '0/0xffffff00']);
    return done.ok ? ok(undefined) : done;
  }
}

const stampChain = `inet ${tableName}/stamp`;
const latchTable = `inet ${latchName}`;

const joinedChars_max = 1_000_000;

function joined(lines: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = [];
  let length = joinedChars_max;
  for (const line of lines) {
    const last = parts.at(-1);
    if (last === undefined || length + line.length > joinedChars_max) {
      parts.push([line]);
      length = line.length;
    } else {
      last.push(line);
      length += line.length;
    }
  }
  return parts;
}

function wholeTextOf(standing: Standing, program: FirewallProgram): string {
  return program.tables
    .map((table) =>
      wholeText({ tables: [table] }, standing.epoch, (map) => {
        const slot = standing.slots.get(id(table, map));
        if (slot === undefined) throw new Error(`no slot for ${map}`);
        return slot;
      }),
    )
    .join('');
}

function withoutElements(program: FirewallProgram): FirewallProgram {
  const tables = program.tables.map((table) => ({
    ...table,
    maps: table.maps.map((map) => ({ ...map, elements: new Map<string, string>() })),
  }));
  return { tables };
}
