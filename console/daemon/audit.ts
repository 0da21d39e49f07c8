import type { Refusal } from '../../protocol/result.js';
import { ok } from '../../protocol/result.js';
import type { Log } from '../../protocol/log.js';
import { roles, type Caller } from '../api/access.js';
import { route, type Route } from '../api/route.js';
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
  code: nullable(text({ max: 64 })),
});

/** Who did or tried what through the API, in the order of time, in the store like everything else. */
export class Audit {
  readonly #store: KeyStore;
  readonly #now: () => number;
  readonly #log: Log;
  #count = 0;

  constructor(store: KeyStore, now: () => number, log: Log) {
    this.#store = store;
    this.#now = now;
    this.#log = log;
  }

  async note(caller: Caller, path: string, refusal: Refusal | undefined): Promise<void> {
    const time = this.#now();
    this.#count += 1;
    const key = `${prefix}${String(time).padStart(15, '0')}-${String(this.#count).padStart(9, '0')}`;
    const entry = { time, who: caller.name, role: caller.role, route: path, code: refusal?.code ?? null };
    const value = Buffer.from(JSON.stringify(entry));
    const written = await this.#store.write([{ type: 'put', key, value }]);
    if (!written.ok) this.#log.error('audit-lost', { code: written.refusal.code, who: caller.name, path });
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
            ...(JSON.parse(Buffer.from(value).toString()) as LineBody),
          }));
          return ok({ lines, more: page.more });
        },
      }),
    ];
  }
}

interface LineBody {
  readonly time: number;
  readonly who: string;
  readonly role: Caller['role'];
  readonly route: string;
  readonly code: string | null;
}
