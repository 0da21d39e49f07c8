import { digestText, nameText } from '../../protocol/fields.js';
import * as p from '../../protocol/parse.js';
import type { Parse } from '../../protocol/parse.js';
import { ok, refuse } from '../../protocol/result.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A strict parser together with the schema that says the same in the OpenAPI document. */
export interface Shape<T> {
  readonly parse: Parse<T>;
  readonly schema: JsonSchema;
}

export interface OptionalShape<T> {
  readonly optional: Shape<T>;
}

export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

export function text(options: {
  min?: number;
  max: number;
  pattern?: RegExp;
  form?: string;
  about?: string;
}): Shape<string> {
  return {
    parse: p.text(options),
    schema: {
      type: 'string',
      minLength: options.min ?? 1,
      maxLength: options.max,
      ...(options.pattern ? { pattern: options.pattern.source } : {}),
      ...(options.about ? { description: options.about } : {}),
    },
  };
}

export function whole(options: { min: number; max: number; about?: string }): Shape<number> {
  return {
    parse: p.whole(options),
    schema: {
      type: 'integer',
      minimum: options.min,
      maximum: options.max,
      ...(options.about ? { description: options.about } : {}),
    },
  };
}

/** A whole number in a query string, where everything is text. */
export function wholeText(options: { min: number; max: number; about?: string }): Shape<number> {
  const inner = whole(options);
  return {
    parse: (value, where) =>
      typeof value === 'string' && /^(0|[1-9][0-9]{0,15})$/.test(value)
        ? inner.parse(Number(value), where)
        : refuse('bad-input', 'must be a whole number', { where }),
    schema: inner.schema,
  };
}

export const flag: Shape<boolean> = { parse: p.flag, schema: { type: 'boolean' } };

export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return { parse: p.oneOf(...choices), schema: { type: 'string', enum: choices } };
}

export function list<T>(item: Shape<T>, options: { min?: number; max: number }): Shape<readonly T[]> {
  return {
    parse: p.list(item.parse, options),
    schema: { type: 'array', items: item.schema, minItems: options.min ?? 0, maxItems: options.max },
  };
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return {
    parse: (value, where) => (value === null ? ok(null) : inner.parse(value, where)),
    schema: { anyOf: [inner.schema, { type: 'null' }] },
  };
}

export function optional<T>(inner: Shape<T>): OptionalShape<T> {
  return { optional: inner };
}

/** An object whose own form is documented elsewhere: a node's reply, a filter set. */
export function opaque(about: string): Shape<Readonly<Record<string, unknown>>> {
  return { parse: p.opaqueObject, schema: { type: 'object', description: about } };
}

export function map<T>(item: Shape<T>, options: { max: number }): Shape<Readonly<Record<string, T>>> {
  return {
    parse: (value, where) => {
      const given = p.opaqueObject(value, where);
      if (!given.ok) return given;
      const entries = Object.entries(given.value);
      if (entries.length > options.max)
        return refuse('bad-input', `has more than ${options.max} members`, { where });
      const result: Record<string, T> = {};
      for (const [name, entry] of entries) {
        const parsed = item.parse(entry, `${where}.${name}`);
        if (!parsed.ok) return parsed;
        result[name] = parsed.value;
      }
      return ok(result);
    },
    schema: { type: 'object', additionalProperties: item.schema, maxProperties: options.max },
  };
}

type Member = Shape<unknown> | OptionalShape<unknown>;
export type ObjectShape<M extends Record<string, Member>> = {
  readonly [K in keyof M as M[K] extends Shape<unknown> ? K : never]: M[K] extends Shape<infer T> ? T : never;
} & {
  readonly [K in keyof M as M[K] extends Shape<unknown> ? never : K]?: M[K] extends OptionalShape<infer T>
    ? T
    : never;
};

export function object<const M extends Record<string, Member>>(
  members: M,
  about?: string,
): Shape<ObjectShape<M>> {
  const parsers: Record<string, Parse<unknown> | p.Optional<unknown>> = {};
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const [name, member] of Object.entries(members)) {
    const inner = 'optional' in member ? member.optional : member;
    parsers[name] = 'optional' in member ? p.optional(inner.parse) : inner.parse;
    properties[name] = inner.schema;
    if (!('optional' in member)) required.push(name);
  }
  const parse = p.object(parsers);
  return {
    parse: parse as unknown as Parse<ObjectShape<M>>,
    schema: {
      type: 'object',
      properties,
      required,
      additionalProperties: false,
      ...(about ? { description: about } : {}),
    },
  };
}

export const name: Shape<string> = {
  parse: nameText,
  schema: { type: 'string', maxLength: 63, pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' },
};

export const digest: Shape<string> = {
  parse: digestText,
  schema: { type: 'string', minLength: 43, maxLength: 43, description: 'SHA-256 in base64url' },
};

/** Milliseconds since 1970. */
export const moment = whole({ min: 0, max: 32_503_680_000_000, about: 'milliseconds since 1970' });
