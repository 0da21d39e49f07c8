import { ok } from '../../protocol/result.js';
import type { Log } from '../../protocol/log.js';
import { roles, type Caller } from '../api/access.js';
import { route, type Route } from '../api/route.js';
import type { AuditedCall } from '../api/server.js';
import { flag, list, moment, nullable, object, oneOf, optional, text, wholeText } from '../api/shape.js';
import type { KeyStore } from '../store/port.js';
import { limits } from '../../protocol/limits.js';

const prefix = 'audit/';
const line = object({
  key: text({ max: 100 }),
  time: moment,
  who: text({ max: 100 }),
  role: oneOf(...roles),
  route: text({ max: 300 }),
  /** Whom or what it was about: the name in its path, the account of a login. */
  about: nullable(text({ min: 0, max: limits.audit_about_chars_max + 100 })),
  /** The address it came from. */
  source: nullable(text({ max: 64 })),
  code: nullable(text({ max: 64 })),
});

/**
 * Who did or tried what through the API, in the order of time, in the store like everything else.
 *
 * INVARIANT: strangers write so many lines in a minute at most; how many more there were stands in the first line after it.
 */
export class Audit {
  readonly #store: KeyStore;
  readonly #now: () => number;
  readonly #log: Log;
  #count = 0;
  #lost = 0;
  #strangers = { since: 0, written: 0, left: 0 };

  constructor(store: KeyStore, now: () => number, log: Log) {
    this.#store = store;
    this.#now = now;
    this.#log = log;
  }

  /** Lines that could not be written since the daemon started. */
  get lost(): number {
    return this.#lost;
  }

  async note(caller: Caller, { route, about, source, refusal }: AuditedCall): Promise<void> {
    const time = this.#now();
    // Who is proved can be named and stopped; a stranger's refusals cost a write each.
    if (caller.id === '' && refusal && !this.#mayWrite(time)) return;
    const { left } = this.#strangers;
    this.#strangers.left = 0;
    const more =
      left === 0 ? about : `${about ?? ''} (and ${left} more calls of strangers that were refused)`;
    this.#count += 1;
    const key = `${prefix}${String(time).padStart(15, '0')}-${String(this.#count).padStart(9, '0')}`;
    const { name: who, role } = caller;
    const told = { about: more?.trim() ?? null, source: source ?? null, code: refusal?.code ?? null };
    const value = Buffer.from(JSON.stringify({ time, who, role, route, ...told }));
    const written = await this.#store.write([{ type: 'put', key, value }]);
    if (written.ok) return;
    this.#lost += 1;
    this.#log.error('audit-lost', { code: written.refusal.code, who, route, about });
  }

  #mayWrite(now: number): boolean {
    const { since, left } = this.#strangers;
    if (now - since >= 60_000 || now < since) this.#strangers = { since: now, written: 0, left };
    if (this.#strangers.written >= limits.audit_strangers_per_minute_max) {
      this.#strangers.left += 1;
      return false;
    }
    this.#strangers.written += 1;
    return true;
  }

  routes(): Route[] {
    return [
      route({
        method: 'GET',
        path: '/api/v1/audit',
        summary: 'Who did or tried what, the latest first',
        role: 'administer',
        query: object({
          limit: optional(wholeText({ min: 1, max: limits.audit_page_lines_max })),
          before: optional(text({ max: 100 })),
        }),
        reply: object({ lines: list(line, { max: limits.audit_page_lines_max }), more: flag }),
        handle: async ({ query }) => {
          const page = await this.#store.range({
            prefix,
            reverse: true,
            limit: query.limit ?? 100,
            ...(query.before === undefined ? {} : { after: prefix + query.before }),
          });
          const lines = page.entries.map(({ key, value }) => ({
            key: key.slice(prefix.length),
            ...lineOf(value),
          }));
          return ok({ lines, more: page.more });
        },
      }),
    ];
  }
}

/** Lines of earlier versions say neither about what nor from where. */
function lineOf(value: Uint8Array): Required<LineBody> {
  return { about: null, source: null, ...(JSON.parse(Buffer.from(value).toString()) as LineBody) };
}

interface LineBody {
  readonly time: number;
  readonly who: string;
  readonly role: Caller['role'];
  readonly route: string;
  readonly about?: string | null;
  readonly source?: string | null;
  readonly code: string | null;
}
