import type { KeyStore } from '../../console/store/port.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Naming } from './book.js';
import type { Machine, Pool } from './model.js';
import { DhcpServer } from './server.js';

export interface DhcpDeskParts {
  /** Absent: this console gives no addresses. */
  readonly config: { readonly interface: string; readonly address: string } | undefined;
  readonly store: KeyStore;
  readonly now: () => number;
  readonly log: Log;
  /** HOST:PORT#PIN of the console's gateway, told to nodes of pools that name none. */
  readonly gateway: string | undefined;
  readonly clusterOf: (node: string) => string | undefined;
  readonly naming: Naming;
}

/** The pool of nodes that are in no cluster with a pool of its own. */
export const commonPool = 'default';

/**
 * The DHCP server as a part of the daemon. A console whose server cannot start (no right to it, the interface is not there yet) serves
 * everything else, says so, and tries again.
 */
export class DhcpDesk {
  readonly #parts: DhcpDeskParts;
  #server: DhcpServer | undefined;
  #why: string | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: DhcpDeskParts) {
    this.#parts = parts;
  }

  get standing(): { readonly state: 'off' | 'serving' | 'failed'; readonly why: string | null } {
    if (this.#parts.config === undefined) return { state: 'off', why: null };
    return { state: this.#server ? 'serving' : 'failed', why: this.#why ?? null };
  }

  async start(): Promise<void> {
    const { config, ...parts } = this.#parts;
    const { log } = parts;
    if (config === undefined || this.#closed) return;
    const opened = await DhcpServer.open({ ...config, ...parts });
    if (opened.ok) {
      this.#server = opened.value;
      this.#why = undefined;
      log.info('dhcp.serving', { interface: config.interface, address: config.address });
      return;
    }
    const why = `${opened.refusal.code} ${opened.refusal.detail ?? ''}`.trim();
    if (why !== this.#why) log.error('dhcp.not-serving', { why });
    this.#why = why;
    this.#again = setTimeout(() => void this.start(), limits.dhcp_start_again_ms);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#server?.close();
  }

  /** Where it does not run, nothing is known and nothing can be set. */
  server(): Result<DhcpServer> {
    const { state, why } = this.standing;
    return this.#server ? ok(this.#server) : refuse('dhcp-not-serving', why ?? state);
  }

  async setPool(pool: Readonly<Record<string, unknown>>): Promise<Result<Pool>> {
    const server = this.server();
    if (!server.ok) return server;
    const { gateway } = this.#parts;
    return server.value.setPool({ ...(gateway === undefined ? {} : { gateway }), ...pool });
  }

  /** In the pool of its cluster where there is one, else in the common one, unless it is named. */
  async setMachine(machine: Omit<Machine, 'pool'> & { readonly pool?: string }): Promise<Result<Machine>> {
    const server = this.server();
    if (!server.ok) return server;
    const cluster = this.#parts.clusterOf(machine.node);
    const known = server.value.pools().some(({ name }) => name === cluster);
    const pool = machine.pool ?? (cluster !== undefined && known ? cluster : commonPool);
    return server.value.setMachine({ ...machine, pool });
  }
}
