import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { TextRoute } from '../api/route.js';
import type { NodeBook } from '../nodes/book.js';
import type { KeyStore } from '../store/port.js';
import { metricsText, nodeSamples, processSamples, type CallCounter, type Sample } from './metrics.js';

export interface MetricsParts {
  readonly book: NodeBook;
  readonly store: KeyStore;
  readonly calls: CallCounter;
  /** What only one of the consoles has. */
  readonly more?: (() => Promise<readonly Sample[]>) | undefined;
}

/** Figures for Prometheus, and the two questions that a supervisor asks: does it live, can it work. */
export function metricsRoutes({ book, store, calls, more }: MetricsParts): TextRoute[] {
  const read = async (): Promise<Result<string>> =>
    ok(
      metricsText([
        ...nodeSamples(book.list()),
        ...((await more?.()) ?? []),
        ...calls.samples(),
        ...processSamples(),
      ]),
    );
  let asked: { readonly at: number; readonly answer: Promise<Result<string>> } | undefined;
  /** Anybody may ask, so the disk is asked now and then only. */
  const ready = async (): Promise<Result<string>> => {
    const now = performance.now();
    if (asked && now - asked.at < limits.ready_again_ms) return asked.answer;
    // An empty write goes to the disk and back like any other.
    const answer = store
      .write([])
      .then((written) => (written.ok ? ok('ready\n') : refuse(written.refusal.code)));
    asked = { at: now, answer };
    return answer;
  };
  return [
    {
      kind: 'text',
      method: 'GET',
      path: '/metrics',
      summary: 'Figures in the text format of Prometheus; docs/metrics.md lists them',
      role: 'view',
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      read,
    },
    {
      kind: 'text',
      method: 'GET',
      path: '/healthz',
      summary: 'Answers as long as the daemon lives',
      role: 'anyone',
      contentType: 'text/plain; charset=utf-8',
      read: () => Promise.resolve(ok('alive\n')),
    },
    {
      kind: 'text',
      method: 'GET',
      path: '/readyz',
      summary: 'Answers as long as the store can be read and written',
      role: 'anyone',
      contentType: 'text/plain; charset=utf-8',
      read: ready,
    },
  ];
}
