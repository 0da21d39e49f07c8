import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { messageOf } from '../../protocol/log.js';
import type { TextRoute } from '../api/route.js';
import type { NodeBook } from '../nodes/book.js';
import type { KeyStore } from '../store/port.js';
import {
  LoopDelay,
  metricsText,
  nodeSamples,
  processSamples,
  sample,
  type CallCounter,
  type Sample,
} from './metrics.js';

/** A write that goes to the disk and back like any other, and what was written read again. */
async function works(store: KeyStore): Promise<Result<string>> {
  try {
    const value = Buffer.from(String(Date.now()));
    const written = await store.write([{ type: 'put', key: 'ready', value }]);
    if (!written.ok) return refuse(written.refusal.code, written.refusal.detail);
    const read = await store.get('ready');
    return read && Buffer.compare(read.value, value) === 0
      ? ok('ready\n')
      : refuse('store-unreadable', 'what was just written does not come back');
  } catch (error) {
    return refuse('store-unreadable', messageOf(error));
  }
}

/** A disk that hangs is no disk. */
async function within(work: Promise<Result<string>>, most_ms: number): Promise<Result<string>> {
  let guard: NodeJS.Timeout | undefined;
  const late = new Promise<Result<string>>((resolve) => {
    guard = setTimeout(
      () => resolve(refuse('store-write-failed', `no answer within ${most_ms} ms`)),
      most_ms,
    );
  });
  const first = await Promise.race([work, late]);
  clearTimeout(guard);
  return first;
}

export interface MetricsParts {
  readonly book: NodeBook;
  readonly store: KeyStore;
  readonly calls: CallCounter;
  /** Lines of the audit that were lost. */
  readonly auditLost: () => number;
  readonly clockJumps: () => number;
  /** What only one of the consoles has. */
  readonly more?: (() => Promise<readonly Sample[]>) | undefined;
}

/** Figures for Prometheus, and the two questions that a supervisor asks: does it live, can it work. */
export function metricsRoutes({
  book,
  store,
  calls,
  auditLost,
  clockJumps,
  more,
}: MetricsParts): TextRoute[] {
  const delay = new LoopDelay();
  const read = async (): Promise<Result<string>> =>
    ok(
      metricsText([
        sample('console_ready', (await ready()).ok ? 1 : 0),
        sample('console_audit_lost_total', auditLost()),
        sample('console_clock_jumps_total', clockJumps()),
        delay.sample(),
        ...nodeSamples(book.outlines()),
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
    const answer = within(works(store), limits.ready_ms_max);
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
