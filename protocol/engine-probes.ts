import { limits } from './limits.js';
import { described, list, object, oneOf, optional, text, whole, type Parse, type Parsed } from './parse.js';
import { question, voiceName } from './engine-interface.js';
import { refuse } from './result.js';

/** What holds where a probe does not say. */
export const probeDefaults = {
  every_s: 10,
  /** A command costs a process of the runtime each time. */
  command_every_s: 30,
  timeout_s: 5,
  failures: 3,
  successes: 1,
  start_s: 30,
} as const;

const seconds = (min: number): Parse<number> => whole({ min, max: limits.engine_probe_s_max });
const times = whole({ min: 1, max: limits.engine_probe_times_max });
const words = text({ max: limits.engine_text_chars_max, pattern: /^[^\0]*$/, form: 'a text without NUL' });
const port = whole({ min: 1, max: 65_535 });

const common = {
  /** How long it may take; a beat is judged by `within_s` alone. */
  timeout_s: optional(seconds(1)),
  /** How often in a row before the engine is not well, and how often before it is well again. */
  failures: optional(times),
  successes: optional(times),
  /** How long after its start an engine may fail: programs need a while before they answer. */
  start_s: optional(seconds(0)),
  /** What follows when the engine is not well: it is ended and started again as its policy says, or it is only told. */
  onBad: optional(oneOf('restart', 'tell')),
} as const;
const often = { every_s: optional(seconds(1)) } as const;

const forms = {
  command: object({
    kind: oneOf('command'),
    command: list(words, { min: 1, max: limits.engine_words_max }),
    every_s: optional(seconds(limits.engine_probe_command_s_min)),
    ...common,
  }),
  http: object({
    kind: oneOf('http'),
    port,
    path: optional(text({ max: 2048, pattern: /^\/[\x21-\x7e]*$/, form: 'a path that begins with /' })),
    status: optional(whole({ min: 100, max: 599 })),
    contains: optional(text({ max: 1024 })),
    ...often,
    ...common,
  }),
  tcp: object({ kind: oneOf('tcp'), port, ...often, ...common }),
  beat: object({ kind: oneOf('beat'), within_s: seconds(1), ...common }),
  ask: object({
    kind: oneOf('ask'),
    of: voiceName,
    text: optional(question),
    answer: optional(question),
    ...often,
    ...common,
  }),
} as const;

/** How it is found out whether an engine works, beside that it runs. docs/engines.md tells it to its readers. */
export type Probe = { [K in keyof typeof forms]: Parsed<(typeof forms)[K]> }[keyof typeof forms];

export const probe: Parse<Probe> = described(
  'a probe, see [engines](engines.md#is-it-well)',
  (value: unknown, where: string) => {
    const kind: unknown =
      typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
    if (typeof kind !== 'string' || !Object.hasOwn(forms, kind))
      return refuse('bad-input', `must be one of ${Object.keys(forms).join(', ')}`, {
        where: `${where}.kind`,
      });
    const parse: Parse<Probe> = forms[kind as keyof typeof forms];
    return parse(value, where);
  },
);

/** A heartbeat has its patience in its own time; the others may be wrong once. */
export function probeFailures({ kind, failures }: Pick<Probe, 'kind' | 'failures'>): number {
  return failures ?? (kind === 'beat' ? 1 : probeDefaults.failures);
}

/** A probe in a few words, by which people tell it from the others of its engine. */
export function probeName(one: Probe): string {
  switch (one.kind) {
    case 'command':
      return `command ${one.command[0] ?? ''}`.slice(0, 80);
    case 'http':
      return `http ${one.port}${one.path ?? '/'}`.slice(0, 80);
    case 'tcp':
      return `tcp ${one.port}`;
    case 'beat':
      return 'beat';
    case 'ask':
      return `ask ${one.of}`;
  }
}
