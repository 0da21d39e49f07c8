import { ok, refuse, type Result } from './result.js';

/**
 * Small strict parsers, put together. Each takes what came in and where it stands (`filters[3].ports[0]`), and gives the value in its
 * type or a refusal that names the place. What a parser does not know it refuses.
 */
export interface Parse<T> {
  (value: unknown, where: string): Result<T>;
  /** The form in words, from which the documentation of commands is made. */
  readonly about?: string;
  /** Of an object: its members, in their order. */
  readonly members?: Readonly<Record<string, Member>>;
}
export type Parsed<P> = P extends Parse<infer T> ? T : never;

/** The same parser, with its form in words. */
export function described<P extends Parse<unknown>>(about: string, parse: P): P {
  return Object.assign((value: unknown, where: string) => parse(value, where), parse, { about }) as P;
}

function bad(where: string, detail: string): Result<never> {
  return refuse('bad-input', detail, { where });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export function text(options: { min?: number; max: number; pattern?: RegExp; form?: string }): Parse<string> {
  const form = options.form ?? 'a text';
  return described(`${form}, ${options.min ?? 1} to ${options.max} characters`, (value, where) => {
    if (typeof value !== 'string') return bad(where, `must be a text, not ${kindOf(value)}`);
    if (value.length < (options.min ?? 1)) return bad(where, 'is too short');
    if (value.length > options.max) return bad(where, `is longer than ${options.max} characters`);
    if (options.pattern && !options.pattern.test(value))
      return bad(where, `must be ${options.form ?? 'of the documented form'}`);
    return ok(value);
  });
}

export function whole(options: { min: number; max: number }): Parse<number> {
  return described(`a whole number from ${options.min} to ${options.max}`, (value, where) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      return bad(where, `must be a whole number, not ${kindOf(value)}`);
    if (value < options.min || value > options.max)
      return bad(where, `must be from ${options.min} to ${options.max}`);
    return ok(value);
  });
}

export const flag: Parse<boolean> = described('true or false', (value, where) =>
  typeof value === 'boolean' ? ok(value) : bad(where, `must be true or false, not ${kindOf(value)}`),
);

export function oneOf<const T extends string>(...choices: readonly T[]): Parse<T> {
  return described(choices.map((choice) => `\`${choice}\``).join(', '), (value, where) => {
    const found = choices.find((choice) => choice === value);
    return found === undefined ? bad(where, `must be one of ${choices.join(', ')}`) : ok(found);
  });
}

export function list<T>(item: Parse<T>, options: { min?: number; max: number }): Parse<readonly T[]> {
  const about = `a list of ${options.min ?? 0} to ${options.max}, each: ${item.about ?? 'see below'}`;
  return described(about, (value, where) => {
    if (!Array.isArray(value)) return bad(where, `must be a list, not ${kindOf(value)}`);
    if (value.length < (options.min ?? 0))
      return bad(where, `must have at least ${options.min ?? 0} entries`);
    if (value.length > options.max) return bad(where, `has more than ${options.max} entries`);
    const items: T[] = [];
    for (const [index, entry] of value.entries()) {
      const parsed = item(entry, `${where}[${index}]`);
      if (!parsed.ok) return parsed;
      items.push(parsed.value);
    }
    return ok(items);
  });
}

/** Marks a member that may be absent. An absent member is not the same as null, which is refused. */
export interface Optional<T> {
  readonly optional: Parse<T>;
}

export function optional<T>(parse: Parse<T>): Optional<T> {
  return { optional: parse };
}

/** Names of the sender's own choice, each with a value: `{"LANG": "C.UTF-8"}`. */
export function dictionary<T>(
  item: Parse<T>,
  options: { name: RegExp; max: number; form: string },
): Parse<Readonly<Record<string, T>>> {
  const about = `an object of up to ${options.max} names (${options.form}), each with: ${item.about ?? 'see below'}`;
  return described(about, (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return bad(where, `must be an object, not ${kindOf(value)}`);
    const given = Object.entries(value);
    if (given.length > options.max) return bad(where, `has more than ${options.max} names`);
    const items: [string, T][] = [];
    for (const [name, entry] of given) {
      if (!options.name.test(name)) return bad(where, `a name must be ${options.form}`);
      const parsed = item(entry, under(where, name));
      if (!parsed.ok) return parsed;
      items.push([name, parsed.value]);
    }
    return ok(Object.fromEntries(items));
  });
}

export type Member = Parse<unknown> | Optional<unknown>;
type RequiredNames<M> = { [K in keyof M]: M[K] extends Parse<unknown> ? K : never }[keyof M];
type OptionalNames<M> = { [K in keyof M]: M[K] extends Parse<unknown> ? never : K }[keyof M];
export type ObjectOf<M extends Record<string, Member>> = {
  readonly [K in RequiredNames<M>]: M[K] extends Parse<infer T> ? T : never;
} & { readonly [K in OptionalNames<M>]?: M[K] extends Optional<infer T> ? T : never };

export function object<const M extends Record<string, Member>>(members: M): Parse<ObjectOf<M>> {
  const known = new Map<string, Member>(Object.entries(members));
  const parse = (value: unknown, where: string): Result<ObjectOf<M>> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return bad(where, `must be an object, not ${kindOf(value)}`);
    const given = new Map<string, unknown>(Object.entries(value));
    for (const name of given.keys())
      if (!known.has(name)) return bad(under(where, name), 'is not known here');
    const result: Record<string, unknown> = {};
    for (const [name, member] of known) {
      if (!given.has(name)) {
        if (typeof member === 'function') return bad(under(where, name), 'is missing');
        continue;
      }
      const parse = typeof member === 'function' ? member : member.optional;
      const parsed = parse(given.get(name), under(where, name));
      if (!parsed.ok) return parsed;
      result[name] = parsed.value;
    }
    return ok(result as ObjectOf<M>);
  };
  const words = Object.entries(members).map(([name, member]) =>
    typeof member === 'function'
      ? `\`${name}\`: ${member.about ?? 'see below'}`
      : `\`${name}\` (optional): ${member.optional.about ?? 'see below'}`,
  );
  return Object.assign(parse, { members, about: `{ ${words.join('; ')} }` });
}

function under(where: string, name: string): string {
  return where === '' ? name : `${where}.${name}`;
}

/** Any JSON object: its own parser stands in the room that understands it. */
export const opaqueObject: Parse<Readonly<Record<string, unknown>>> = described(
  'an object',
  (value, where) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? ok(value as Readonly<Record<string, unknown>>)
      : bad(where, `must be an object, not ${kindOf(value)}`),
);
