import * as fc from 'fast-check';
import { commandParsers, commandTypes } from '../../protocol/commands.js';
import type { Member, Parse } from '../../protocol/parse.js';

const ids = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((it) => Buffer.from(it).toString('base64url'));
const digests = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((it) => Buffer.from(it).toString('base64url'));

/** Values that parsers stumble over: of every kind, near every bound, with every trick of JavaScript. */
const oddities: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    false,
    0,
    -0,
    -1,
    0.5,
    1e308,
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER + 1,
    '',
    '0',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    'a'.repeat(5000),
    [],
    {},
  ),
  ids,
  digests,
  fc.constantFrom('administrator', 'operator', 'developer', 'keys', 'lease', 'boundaries'),
  fc.jsonValue({ maxDepth: 4 }),
);

/** Something that is nearly, or quite, what the members of a parser ask for. */
export function nearly(members: Readonly<Record<string, Member>>): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys(members);
  const known = names.map((name) => fc.tuple(fc.constant(name), valueFor(members[name])));
  const entries = known.length > 0 ? fc.subarray(known, { minLength: 0 }) : fc.constant([]);
  const chosen = entries.chain((some) => fc.tuple<[string, unknown][]>(...some));
  const extra = fc.option(
    fc.tuple(
      fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'type')),
      oddities,
    ),
    { freq: 6 },
  );
  return fc
    .tuple(chosen, extra)
    .map(([some, more]) => Object.fromEntries(more ? [...some, more] : some) as Record<string, unknown>);
}

function valueFor(member: Member | undefined): fc.Arbitrary<unknown> {
  const parse: Parse<unknown> | undefined = typeof member === 'function' ? member : member?.optional;
  const about = parse?.about ?? '';
  const honest: fc.Arbitrary<unknown> = parse?.members
    ? nearly(parse.members)
    : about.startsWith('a whole number')
      ? fc.oneof(fc.nat(), fc.maxSafeInteger())
      : about.startsWith('true')
        ? fc.boolean()
        : about.startsWith('16 bytes')
          ? ids
          : about.startsWith('32 bytes')
            ? digests
            : about.startsWith('a list')
              ? fc.array(oddities, { maxLength: 4 })
              : oddities;
  return fc.oneof({ weight: 3, arbitrary: honest }, { weight: 1, arbitrary: oddities });
}

export const commandInputs: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom(...commandTypes)
      .chain((type) => nearly(commandParsers[type].members ?? {}).map((fields) => ({ ...fields, type }))),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')) }),
  },
  { weight: 1, arbitrary: oddities },
);

export type Mutation = readonly [at: number, kind: number, byte: number];
export const mutations = fc.array(
  fc.tuple(fc.nat(), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 127 })),
  { minLength: 1, maxLength: 4 },
);

/** An honest text with a few characters changed, left out, doubled, swapped, or everything after one cut off. */
export function mutate(text: string, changes: readonly Mutation[]): string {
  let result = text;
  for (const [where, kind, byte] of changes) {
    const at = result.length === 0 ? 0 : where % result.length;
    const [before, here, after] = [result.slice(0, at), result.slice(at, at + 1), result.slice(at + 1)];
    if (kind === 0) result = before + String.fromCharCode(byte) + after;
    else if (kind === 1) result = before + after;
    else if (kind === 2) result = before + here + here + after;
    else if (kind === 3) result = before + after.slice(0, 1) + here + after.slice(1);
    else result = before;
  }
  return result;
}
