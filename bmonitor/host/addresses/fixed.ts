import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { limits } from '../../../protocol/limits.js';
import type { Log } from '../../../protocol/log.js';
import { list, text } from '../../../protocol/parse.js';
import { parseJson } from '../../../protocol/json.js';
import { ok, type Result } from '../../../protocol/result.js';
import type { FixedAddresses } from '../../ports/address-link.js';
import { LinkWatch } from './link-watch.js';
import { ip, ipBatch } from './tool.js';

export interface FixedOptions {
  readonly interface: string;
  readonly wanted: FixedAddresses;
  /** Where is kept what was put on the interface, so that a later life with another configuration takes it off. */
  readonly memory: string;
  readonly log: Log;
}

const rememberedForm = list(text({ max: 49, pattern: /^[0-9a-fA-F:.]+\/\d+$/, form: 'an address' }), {
  max: 32,
});

/**
 * Keeps the configured addresses and routes on the interface. Somebody else may take them off, or the link may go away, and take them with it:
 * then they are put back.
 *
 * INVARIANTS: one look at a time; what is there already is not touched.
 */
export class FixedKeeper {
  #watch: LinkWatch | undefined;
  #again: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;
  #lookOnceMore = false;

  constructor(private readonly options: FixedOptions) {}

  /** Puts them there; what fails is tried again until it does not. */
  async start(): Promise<void> {
    const { wanted, memory } = this.options;
    const own = wanted.addresses.map(cidr);
    const before = await remembered(memory);
    await remember(memory, [...new Set([...before, ...own])]);
    for (const stale of before.filter((it) => !own.includes(it)))
      await ip(['address', 'del', stale, 'dev', this.options.interface]);
    await remember(memory, own);
    if (own.length === 0) return;
    this.#watch = new LinkWatch(() => void this.#look());
    await this.#look();
  }

  /** They stay: stopping BMonitor takes no machine off its network. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#watch?.close();
    await this.#looking;
  }

  #look(): Promise<void> {
    this.#lookOnceMore = this.#looking !== undefined;
    this.#looking ??= this.#putBack().finally(() => {
      this.#looking = undefined;
      if (this.#lookOnceMore && !this.#closed) void this.#look();
    });
    return this.#looking;
  }

  async #putBack(): Promise<void> {
    if (this.#closed) return;
    const lacking = await this.#lacking();
    if (lacking.ok && lacking.value.length === 0) return;
    const done = lacking.ok ? await ipBatch(lacking.value) : lacking;
    const { addresses, routers } = this.options.wanted;
    if (done.ok) {
      const fields = {
        addresses: addresses.map(cidr).join(' '),
        routers: routers.map(({ address }) => address).join(' '),
      };
      return this.options.log.info('address.applied', fields);
    }
    this.options.log.error('address.apply-failed', { why: done.refusal.detail });
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.#look(), limits.retry_effects_ms);
  }

  /** What `ip` has to be told. The filters decide what a node may say, so nothing waits for duplicate address detection. */
  async #lacking(): Promise<Result<readonly string[]>> {
    const { interface: link, wanted } = this.options;
    const shown = await ip(['-json', 'address', 'show', 'dev', link]);
    if (!shown.ok) return shown;
    const [state] = JSON.parse(shown.value || '[]') as readonly Shown[];
    const there = (state?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    const lines = (state?.flags ?? []).includes('UP') ? [] : [`link set dev ${link} up`];
    for (const it of wanted.addresses)
      if (!there.includes(cidr(it)))
        lines.push(
          it.family === 4
            ? `address replace ${cidr(it)} broadcast + dev ${link}`
            : // One that is not preferred is not chosen for what the machine itself says.
              `address replace ${cidr(it)} dev ${link} nodad${it.forEngines ? ' preferred_lft 0' : ''}`,
        );
    for (const { address, family } of wanted.routers) {
      const routes = await ip(['-json', `-${family}`, 'route', 'show', 'default', 'dev', link]);
      if (!routes.ok) return routes;
      const known = JSON.parse(routes.value || '[]') as readonly { readonly gateway?: string }[];
      if (lines.length > 0 || !known.some(({ gateway }) => gateway === address))
        lines.push(`route replace default via ${address} dev ${link} proto static`);
    }
    return ok(lines);
  }
}

interface Shown {
  readonly flags?: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

function cidr({ address, length }: FixedAddresses['addresses'][number]): string {
  return `${address}/${length}`;
}

async function remembered(path: string): Promise<readonly string[]> {
  const json = parseJson(await readFile(path, 'utf8').catch(() => '[]'));
  const parsed = json.ok ? rememberedForm(json.value, '') : json;
  return parsed.ok ? parsed.value : [];
}

async function remember(path: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return rm(path, { force: true });
  await writeFile(`${path}.new`, JSON.stringify(addresses), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
