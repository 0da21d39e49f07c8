import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import { readRange } from './address.js';
import type { Action, Direction, Filter, FilterSet, Names, OnRefuse, Otherwise } from './model.js';
import { hasPorts, port_max, protocol_max, protocolNumber, protocolNumbers } from './protocols.js';
import { services } from './services.js';

/**
 * Reads filter sets and name files. What is not known is refused, and the place is named (`filters[3].ports[0]`): a
 * field with a slip of the pen in its name would otherwise open or close more than was meant.
 */
type Fields = Readonly<Record<string, unknown>>;

const actions: readonly string[] = ['allow', 'deny'] satisfies Action[];
const directionWords: readonly string[] = ['in', 'out', 'both'] satisfies (Direction | 'both')[];
const otherwiseWords: readonly string[] = ['deny', 'inherit'] satisfies Otherwise[];
const onRefuseWords: readonly string[] = ['drop', 'reject'] satisfies OnRefuse[];
const setFields: readonly string[] = ['otherwise', 'filters', 'onRefuse'] satisfies (keyof FilterSet)[];
const filterFields: readonly string[] = [
  'action',
  'direction',
  'peers',
  'protocol',
  'ports',
  'service',
  'oneway',
  'note',
] satisfies (keyof Filter)[];

const namePattern = /^[a-z][a-z0-9-]*(:[A-Za-z0-9][A-Za-z0-9._-]*)?$/u;
const portRange = /^(0|[1-9]\d{0,4})-(0|[1-9]\d{0,4})$/u;

function bad(where: string, detail: string): Refused {
  return refuse('bad-input', detail, { where });
}

function at(where: string, field: string): string {
  return where === '' ? field : `${where}.${field}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function readFields(value: unknown, known: readonly string[], where: string): Result<Fields> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad(where, 'an object is needed here');
  for (const field of Object.keys(value))
    if (!known.includes(field)) return bad(at(where, field), `unknown field; known are ${known.join(', ')}`);
  return ok(value as Fields);
}

function readWord<T extends string>(value: unknown, words: readonly string[], where: string): Result<T> {
  if (typeof value === 'string' && words.includes(value)) return ok(value as T);
  const wanted = `one of ${words.join(', ')} is needed here`;
  return bad(where, value === undefined ? `missing: ${wanted}` : `${wanted}, not ${shown(value)}`);
}

function readList<T>(
  value: unknown,
  where: string,
  item: (value: unknown, where: string) => Result<T>,
): Result<readonly T[]> {
  if (!Array.isArray(value)) return bad(where, 'a list is needed here');
  if (value.length === 0)
    return bad(where, 'an empty list would match nothing; leave the field out to match all');
  if (value.length > limits.list_entries_max)
    return refuse('too-large', `at most ${limits.list_entries_max} entries`, { where });
  const list: T[] = [];
  for (const [index, entry] of value.entries()) {
    const read = item(entry, `${where}[${index}]`);
    if (!read.ok) return read;
    list.push(read.value);
  }
  return ok(list);
}

function readPeer(value: unknown, where: string): Result<string> {
  if (typeof value !== 'string') return bad(where, 'an address, prefix, range or name is needed here');
  const reading = readRange(value);
  switch (reading.kind) {
    case 'range':
      return ok(value);
    case 'bad':
      return bad(where, `${reading.why}: ${shown(value)}`);
    case 'not-an-address':
      if (isName(value)) return ok(value);
      return bad(where, `neither an address, a prefix or a range nor a name: ${shown(value)}`);
  }
}

/** `node:web-1`, `cluster:db`, `internet`, or another name that the console defines. */
export function isName(text: string): boolean {
  if (!namePattern.test(text)) return false;
  return text.slice(text.indexOf(':') + 1).length <= limits.name_chars_max;
}

function isInteger(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function readPort(value: unknown, where: string): Result<number | string> {
  if (isInteger(value, port_max)) return ok(value);
  if (typeof value === 'string') {
    const found = portRange.exec(value);
    if (found !== null) {
      const [lo, hi] = [Number(found[1]), Number(found[2])];
      if (hi > port_max) return bad(where, `ports are 0 to ${port_max}, not ${shown(value)}`);
      if (lo > hi) return bad(where, `the range ends before it begins: ${shown(value)}`);
      return ok(value);
    }
  }
  return bad(where, `a port (80) or a range of ports ("8000-8100") is needed here, not ${shown(value)}`);
}

function readProtocol(value: unknown, where: string): Result<string | number> {
  if (isInteger(value, protocol_max)) return ok(value);
  if (typeof value === 'string' && (value === 'any' || protocolNumbers.has(value))) return ok(value);
  return bad(
    where,
    `a number from 0 to ${protocol_max}, any, or one of ${[...protocolNumbers.keys()].join(', ')} is needed here, not ${shown(value)}`,
  );
}

function readService(value: unknown, where: string): Result<string> {
  if (typeof value === 'string' && services.has(value)) return ok(value);
  return bad(where, `unknown service ${shown(value)}; known are ${[...services.keys()].join(', ')}`);
}

function readNote(value: unknown, where: string): Result<string> {
  if (typeof value !== 'string') return bad(where, 'a note is text');
  if (value.length > limits.note_chars_max)
    return refuse('too-large', `a note has at most ${limits.note_chars_max} characters`, { where });
  return ok(value);
}

function readBoolean(value: unknown, where: string): Result<boolean> {
  return typeof value === 'boolean' ? ok(value) : bad(where, 'true or false is needed here');
}

/** Reads a field that may be absent; a field given as `undefined` counts as absent, one given as null does not. */
function optional<T>(
  fields: Fields,
  field: string,
  where: string,
  read: (value: unknown, where: string) => Result<T>,
): Result<T | undefined> {
  const value = fields[field];
  return value === undefined ? ok(undefined) : read(value, at(where, field));
}

/** Rules that hold between the fields of one filter. */
function contradiction(filter: Filter, where: string): Refused | undefined {
  if (filter.service !== undefined && (filter.protocol !== undefined || filter.ports !== undefined))
    return bad(at(where, 'service'), 'a service stands instead of protocol and ports, not beside them');
  if (filter.ports !== undefined) {
    const number = filter.protocol === undefined ? undefined : protocolNumber(filter.protocol, 4);
    if (number === undefined || !hasPorts(number))
      return bad(at(where, 'ports'), 'ports need a protocol that has them: tcp, udp, sctp, dccp or udplite');
  }
  if (filter.oneway !== undefined && filter.action !== 'allow')
    return bad(at(where, 'oneway'), 'oneway belongs to allow filters; a deny stops both ways already');
  return undefined;
}

export function parseFilter(value: unknown, where: string): Result<Filter> {
  const fields = readFields(value, filterFields, where);
  if (!fields.ok) return fields;
  const given = fields.value;
  const action = readWord<Action>(given['action'], actions, at(where, 'action'));
  if (!action.ok) return action;
  const direction = optional(given, 'direction', where, (word, place) =>
    readWord<Direction | 'both'>(word, directionWords, place),
  );
  if (!direction.ok) return direction;
  const peers = optional(given, 'peers', where, (list, place) => readList(list, place, readPeer));
  if (!peers.ok) return peers;
  const protocol = optional(given, 'protocol', where, readProtocol);
  if (!protocol.ok) return protocol;
  const ports = optional(given, 'ports', where, (list, place) => readList(list, place, readPort));
  if (!ports.ok) return ports;
  const service = optional(given, 'service', where, readService);
  if (!service.ok) return service;
  const oneway = optional(given, 'oneway', where, readBoolean);
  if (!oneway.ok) return oneway;
  const note = optional(given, 'note', where, readNote);
  if (!note.ok) return note;
  const filter: Filter = {
    action: action.value,
    ...(direction.value === undefined ? {} : { direction: direction.value }),
    ...(peers.value === undefined ? {} : { peers: peers.value }),
    ...(protocol.value === undefined ? {} : { protocol: protocol.value }),
    ...(ports.value === undefined ? {} : { ports: ports.value }),
    ...(service.value === undefined ? {} : { service: service.value }),
    ...(oneway.value === undefined ? {} : { oneway: oneway.value }),
    ...(note.value === undefined ? {} : { note: note.value }),
  };
  return contradiction(filter, where) ?? ok(filter);
}

/** `where` is the place of the set in a larger input; '' when the set is the input. */
export function parseFilterSet(value: unknown, where = ''): Result<FilterSet> {
  const fields = readFields(value, setFields, where);
  if (!fields.ok) return fields;
  const otherwise = readWord<Otherwise>(fields.value['otherwise'], otherwiseWords, at(where, 'otherwise'));
  if (!otherwise.ok) return otherwise;
  const onRefuse = optional(fields.value, 'onRefuse', where, (word, place) =>
    readWord<OnRefuse>(word, onRefuseWords, place),
  );
  if (!onRefuse.ok) return onRefuse;
  const list = fields.value['filters'];
  if (!Array.isArray(list)) return bad(at(where, 'filters'), 'a list of filters is needed here');
  if (list.length > limits.filters_per_set_max)
    return refuse('too-large', `at most ${limits.filters_per_set_max} filters in one set`, {
      where: at(where, 'filters'),
    });
  const filters: Filter[] = [];
  for (const [index, entry] of list.entries()) {
    const filter = parseFilter(entry, `${at(where, 'filters')}[${index}]`);
    if (!filter.ok) return filter;
    filters.push(filter.value);
  }
  return ok({
    otherwise: otherwise.value,
    filters,
    ...(onRefuse.value === undefined ? {} : { onRefuse: onRefuse.value }),
  });
}

/** `{"node:web-1": ["10.3.0.7"]}`. A name may stand for nothing: a cluster without nodes has no addresses. */
export function parseNames(value: unknown, where = ''): Result<Names> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad(where, 'an object of names is needed here');
  const names = new Map<string, readonly string[]>();
  for (const [name, list] of Object.entries(value)) {
    const place = at(where, JSON.stringify(name));
    if (!isName(name)) return bad(place, 'this is not a name');
    if (Array.isArray(list) && list.length === 0) {
      names.set(name, []);
      continue;
    }
    const addresses = readList(list, place, readPeer);
    if (!addresses.ok) return addresses;
    const nested = addresses.value.findIndex((text) => readRange(text).kind !== 'range');
    if (nested >= 0) return bad(`${place}[${nested}]`, 'a name stands for addresses, not for other names');
    names.set(name, addresses.value);
  }
  return ok(names);
}
