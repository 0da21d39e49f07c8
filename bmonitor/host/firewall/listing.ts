import { latchName, tableName } from '../../ports/firewall-text.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { Prefix } from './nft-shell.js';
import { runTool } from './tool.js';
import type { Found } from './transition.js';

/** What nft says is there. Only our own tables are ever asked for. */
export const ourTables = [tableName, latchName].flatMap((name) =>
  ['inet', 'arp', 'bridge'].map((family) => `${family} ${name}`),
);

/** Numbers instead of names, no counters; `-t` leaves elements out. A table that is not there is simply left out. */
export async function listTables(
  prefix: Prefix,
  options: { elements: boolean; signal?: AbortSignal | undefined },
): Promise<Result<string>> {
  const { signal } = options;
  const flags = options.elements ? ['-n', '-s'] : ['-n', '-s', '-t'];
  const all = ourTables.map((table) => `list table ${table}`).join('; ');
  const whole = await runTool(prefix, ['nft', ...flags, all], '', signal);
  if (!whole.ok) return whole;
  if (whole.value.code === 0) return ok(withoutOwner(whole.value.stdout));
  let text = '';
  for (const table of ourTables) {
    const listed = await runTool(prefix, ['nft', ...flags, `list table ${table}`], '', signal);
    if (!listed.ok) return listed;
    if (listed.value.code === 0) text += listed.value.stdout;
  }
  return signal?.aborted === true
    ? refuse('firewall-tool-failed', 'nobody waits for it any more')
    : ok(withoutOwner(text));
}

/**
 * The rules of our tables, quickly: of a named table nft 1.0.6 fetches all elements, also where it leaves them out (0.2 s at ten thousand), and only of
 * the whole ruleset it does not. What is not ours is cut away unread. Good for a glance; what seems to differ is listed by name.
 */
export async function glanceAtRules(prefix: Prefix): Promise<Result<string>> {
  const whole = await runTool(prefix, ['nft', '-n', '-s', '-t', 'list ruleset']);
  // Another program's rules may be such that nft cannot say them.
  if (!whole.ok || whole.value.code !== 0) return listTables(prefix, { elements: false });
  return ok(withoutOwner(onlyOurs(whole.value.stdout)));
}

export function onlyOurs(text: string): string {
  const heads = new Set(ourTables.map((table) => `table ${table} {`));
  let inside = false;
  const lines = text.split('\n').filter((line) => {
    if (line.startsWith('table ')) inside = heads.has(line.replace(/ # progname .*$/u, ''));
    return inside;
  });
  return `${lines.join('\n')}\n`;
}

/** Who holds the latch is not compared: what is expected was loaded by a process that is gone. */
function withoutOwner(text: string): string {
  return text.replaceAll(/ # progname .*$/gmu, '').replaceAll(/^\tflags owner\n/gmu, '');
}

export interface Listed extends Found {
  readonly epochMark: number | undefined;
  readonly slotMax: number;
}

function hexIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 16);
}

/** Without what is in latches: another process may hold them. */
export function outsideLatches(found: Listed): Listed {
  const stays = (name: string): boolean => !name.split('/')[0]?.endsWith(` ${latchName}`);
  const keep = (names: ReadonlySet<string>): ReadonlySet<string> => new Set([...names].filter(stays));
  return {
    ...found,
    maps: new Map([...found.maps].filter(([name]) => stays(name))),
    chains: keep(found.chains),
    counters: keep(found.counters),
    tables: keep(found.tables),
  };
}

/** The names of everything in a listing, and the last epoch that was stamped. */
export function readListing(text: string): Listed {
  const maps = new Map<string, 'map' | 'set'>();
  const chains = new Set<string>();
  const counters = new Set<string>();
  const tables = new Set<string>();
  let table = '';
  let chain = '';
  let epochMark: number | undefined;
  let slotMax = 0;
  for (const line of text.split('\n')) {
    const [, word = '', name = ''] = /^\s*(table|map|set|chain|counter) ([^{]*\S) \{$/u.exec(line) ?? [];
    if (word === 'table') tables.add((table = name));
    else if (word === 'map' || word === 'set') maps.set(`${table}/${name}`, word);
    else if (word === 'counter') counters.add(`${table}/${name}`);
    else if (word === 'chain') chains.add(`${table}/${(chain = name)}`);
    if (word === 'map' || word === 'set')
      slotMax = Math.max(slotMax, Number(/_s(\d+)$/u.exec(name)?.[1] ?? 0));
    if (table === `inet ${latchName}` && chain === 'known')
      epochMark ??= hexIn(/ct mark .* >= 0x([0-9a-f]{8})/u.exec(line)?.[1]);
    if (table === `inet ${tableName}` && (chain === 'mark_full' || chain === 'stamp'))
      epochMark = hexIn(/ct mark set .*\| 0x([0-9a-f]{8})/u.exec(line)?.[1]) ?? epochMark;
  }
  return { maps, chains, counters, tables, epochMark, slotMax };
}

/** The elements of a listed map or set: key as we write it → what follows it (verdict, counter). */
export function readElements(text: string): ReadonlyMap<string, string> {
  const elements = new Map<string, string>();
  const body = /elements = \{([^}]*)\}/u.exec(text)?.[1] ?? '';
  for (const part of body.split(',')) {
    const element = part.trim();
    if (element === '') continue;
    const [, key = element, rest = ''] =
      /^(.*?)((?: counter packets \d+ bytes \d+)?(?: : .*)?)$/u.exec(element) ?? [];
    elements.set(key, rest.trim());
  }
  return elements;
}

/** Two listings compared: the order in which a hash gives its elements means nothing. */
export function differing(expected: string, actual: string): readonly string[] {
  const wanted = sections(expected);
  const there = sections(actual);
  const names = new Set([...wanted.keys(), ...there.keys()]);
  return [...names].filter((name) => wanted.get(name) !== there.get(name));
}

function sections(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let table = '';
  let name = '';
  for (const line of text.replace(/elements = \{([^}]*)\}/gu, sortElements).split('\n')) {
    const [, word = '', rest = ''] = /^\s*(table|map|set|chain|counter) (.*?) ?\{/u.exec(line) ?? [];
    if (word === 'table') table = rest;
    if (word !== '') name = word === 'table' ? `table ${rest}` : `${table}: ${word} ${rest}`;
    // Empty lines and the brace that closes a table stand after whichever chain happens to be the last.
    if (line !== '}' && line !== '') found.set(name, `${found.get(name) ?? ''}${line}\n`);
  }
  found.delete('');
  return found;
}

function sortElements(_: string, body: string): string {
  const list = body.split(',').map((element) => element.trim());
  return `elements = { ${list.sort().join(', ')} }`;
}
