/** What an engine did last that matters to whoever deploys it: why it was not started, or how it ended. In words, as far as the node says; empty: nothing. */
export function lastText(said: Readonly<Record<string, unknown>>): string {
  const failure = said['lastFailure'];
  if (isObject(failure))
    return `not started: ${wordsOf(failure['code'], failure['detail'], failure['where'])}`;
  const end = said['lastEnd'];
  if (!isObject(end)) return '';
  const { how, code, signal, probe, detail } = end;
  const exit = signal === undefined ? code : signal;
  const number = typeof exit === 'number' ? `${signal === undefined ? 'code' : 'number'} ${exit}` : undefined;
  return `ended: ${wordsOf(how, number, probe, detail)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function wordsOf(...parts: readonly unknown[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(', ');
}
