import { limits } from '../../protocol/limits.js';

/** Where the limits stand, with the reasons above them. */
export const limitSources = [
  'protocol/limits.ts',
  'protocol/network-limits.ts',
  'protocol/store-limits.ts',
  'protocol/console-limits.ts',
  'protocol/engine-disk-limits.ts',
  'protocol/engine-limits.ts',
  'protocol/customer-limits.ts',
  'protocol/record-limits.ts',
  'protocol/tpm-limits.ts',
] as const;

export interface Limit {
  readonly name: string;
  readonly value: unknown;
  /** The comment above it, in one line. */
  readonly reason: string | undefined;
}

/** The limits with the reasons that stand above them in the source. One reason may stand above several. */
export function limitsOf(
  source: string,
  values: Readonly<Record<string, unknown>> = limits,
): readonly Limit[] {
  const reasons = new Map<string, string>();
  let reason: string | undefined;
  for (const [, comment, name] of source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/|^ {2}(\w+):/gm)) {
    if (comment !== undefined)
      reason = comment
        .replace(/^\s*\* ?/gm, '')
        .replace(/\s+/g, ' ')
        .trim();
    else if (name !== undefined && reason !== undefined) reasons.set(name, reason);
  }
  return Object.entries(values).map(([name, value]) => ({ name, value, reason: reasons.get(name) }));
}

/** `24 * 1024 * 1024` with the unit bytes is easier to read as 24 MiB. */
export function shown({ name, value }: Limit): string {
  if (typeof value !== 'number') return JSON.stringify(value);
  if (name.includes('_bytes')) return binary(value);
  if (name.includes('_ms')) return duration(value);
  return grouped(value);
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function binary(bytes: number): string {
  const steps = [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const;
  const step = steps.find(([, size]) => bytes >= size && bytes % size === 0);
  return step === undefined ? `${grouped(bytes)} bytes` : `${grouped(bytes / step[1])} ${step[0]}`;
}

function duration(ms: number): string {
  const steps = [
    ['days', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const;
  const step = steps.find(([, size]) => ms >= 2 * size && ms % size === 0);
  return step === undefined ? `${grouped(ms)} ms` : `${grouped(ms / step[1])} ${step[0]}`;
}

export function limitsPage(source: string): string {
  const rows = limitsOf(source).map(
    (limit) => `| \`${limit.name}\` | ${shown(limit)} | ${limit.reason ?? ''} |`,
  );
  return `# Limits

Everything that comes in has a limit, and so has everything that is kept. There is no value that means "unlimited". What
is over a limit is refused with \`too-large\` or a code of its own (see errors.md), and nothing is changed.

This page is made from \`protocol/limits.ts\` and what it takes in by \`npm run docs\`.

| limit | value | why |
| --- | --- | --- |
${rows.sort((a, b) => a.localeCompare(b, 'en')).join('\n')}
`;
}
