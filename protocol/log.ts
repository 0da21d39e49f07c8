import { inspect } from 'node:util';

/** Structured logs: one JSON object a line on stderr, so that journald and collectors read them without a grammar. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log that adds these fields to every line. */
  with(fields: LogFields): Log;
}

export type LogSink = (line: string) => void;

/** Fields are plain scalars on purpose: an object could carry a secret into a log unseen. */
export function makeLog(
  sink: LogSink,
  options: { level: LogLevel; now: () => Date; fields?: LogFields },
): Log {
  const threshold = logLevels.indexOf(options.level);
  const fields = options.fields ?? {};
  const write = (level: LogLevel, event: string, more: LogFields = {}): void => {
    if (logLevels.indexOf(level) < threshold) return;
    sink(JSON.stringify({ time: options.now().toISOString(), level, event, ...fields, ...more }));
  };
  return {
    debug: (event, more) => write('debug', event, more),
    info: (event, more) => write('info', event, more),
    warn: (event, more) => write('warn', event, more),
    error: (event, more) => write('error', event, more),
    with: (more) => makeLog(sink, { ...options, fields: { ...fields, ...more } }),
  };
}

export function stderrLog(level: LogLevel): Log {
  return makeLog((line) => void process.stderr.write(`${line}\n`), { level, now: () => new Date() });
}

export const silentLog: Log = makeLog(() => {}, { level: 'error', now: () => new Date(0) });

/** The message of something thrown, for a log line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : inspect(error, { depth: 0 });
}
