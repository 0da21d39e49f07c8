import type { Log } from '../../protocol/log.js';
import { limits } from '../../protocol/limits.js';
import { certificatePin } from '../../protocol/pin.js';
import type { Way } from '../../protocol/node-card.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { Secret } from '../../crypto/secret.js';
import { serveApi, type Api } from '../api/server.js';
import { packageVersion } from '../api/version.js';
import { route, type Route, type TextRoute } from '../api/route.js';
import { list, name, nullable, object, oneOf, text, whole, type ShapeOf } from '../api/shape.js';
import { Sessions } from '../access/sessions.js';
import { ownerOf } from '../store/ownership.js';
import { openRemoteStore } from '../store/remote.js';
import type { KeyStore } from '../store/port.js';
import type { Clocks } from '../nodes/session.js';
import { isLoopback, type ConsoleConfig } from './config.js';
import { readSecretFile, writeFileWhole, type ConsoleFiles } from './files.js';
import { defaultInstance, Instances } from './instances.js';
import { consoleTurn, takeTurn, type Turn } from './turn.js';
import { rmSync } from 'node:fs';

export interface Shared {
  readonly turn: Turn;
  readonly instances: Instances;
  /** The route that says who works and who stands by. */
  readonly routes: readonly Route[];
  close(): Promise<void>;
}

export interface SharedOptions {
  readonly config: ConsoleConfig;
  readonly files: ConsoleFiles;
  readonly tls: { readonly cert: string; readonly key: string };
  /** Digest of the token file, the only credential that a console knows which stands by. */
  readonly token: string;
  readonly gateway: Way | undefined;
  readonly clocks: Clocks;
  readonly log: Log;
  /** The turn or the store is gone: this process may do nothing more. */
  lost(why: string): void;
}

/** Connects to the store that several consoles share, and stands by until it is the turn of this one. */
export async function shareStore(
  at: NonNullable<ConsoleConfig['store']>,
  options: SharedOptions,
): Promise<Result<Shared>> {
  const { config, files, clocks, log } = options;
  const token = readSecretFile(files.storeToken);
  if (!token.ok) return token;
  const store = await openRemoteStore({
    ...at,
    token: Secret.take(Buffer.from(token.value.toString().trim())),
    lost: (why) => options.lost(`the store service: ${why}`),
  });
  if (!store.ok) return store;
  const instance = config.instance ?? defaultInstance();
  const instances = new Instances(store.value);
  const told = (): void => {
    const gateway = options.gateway === undefined ? {} : { gateway: options.gateway };
    const api = `${config.api.host}:${config.api.port}`;
    void instances.say(instance, { api, ...gateway, seen: clocks.wall() });
  };
  told();
  const telling = setInterval(told, limits.turn_ms);
  const beside = new StandBy(store.value, instances, instance, options);
  const turn = await takeTurn({
    store: store.value,
    instance,
    clocks,
    log,
    waiting: (holder) => void beside.serve(holder),
    lost: (why) => options.lost(why),
  });
  await beside.close();
  if (!turn.ok) return turn;
  return ok({
    turn: turn.value,
    instances,
    routes: redundancyRoutes(store.value, instances, instance),
    async close() {
      clearInterval(telling);
      await turn.value.end();
    },
  });
}

const view = object({
  instance: name,
  role: oneOf('works', 'stands-by'),
  holder: nullable(name),
  instances: list(
    object({
      name,
      api: text({ max: 300 }),
      gateway: nullable(text({ max: 300 })),
      seen: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    }),
    { max: limits.console_instances_max * 8 },
  ),
});
export type RedundancyView = ShapeOf<typeof view>;

export function redundancyRoutes(store: KeyStore, instances: Instances, instance: string): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/redundancy',
      summary: 'Which of the consoles that share a store works, and which stand by',
      role: 'view',
      reply: view,
      async handle(): Promise<Result<RedundancyView>> {
        const holder = (await ownerOf(store, consoleTurn))?.holder ?? null;
        const all = await instances.all();
        if (!all.ok) return all;
        return ok({
          instance,
          role: holder === instance ? 'works' : 'stands-by',
          holder,
          instances: all.value.map(({ name, value }) => ({
            name,
            api: value.api,
            gateway: value.gateway?.url ?? null,
            seen: value.seen,
          })),
        });
      },
    }),
  ];
}

/** What is served while another works: who that is, and that this one is not ready. */
class StandBy {
  readonly #store: KeyStore;
  readonly #instances: Instances;
  readonly #instance: string;
  readonly #options: SharedOptions;
  #holder = '';
  #api: Promise<Result<Api>> | undefined;

  constructor(store: KeyStore, instances: Instances, instance: string, options: SharedOptions) {
    this.#store = store;
    this.#instances = instances;
    this.#instance = instance;
    this.#options = options;
  }

  async serve(holder: string): Promise<void> {
    this.#holder = holder;
    if (this.#api) return;
    const { config, files, tls, token, clocks, log } = this.#options;
    const open = !isLoopback(config.api.host);
    const refusal = () => ({ code: 'standing-by', detail: `${this.#holder} works` }) as const;
    const texts: TextRoute[] = [
      textRoute('/healthz', 'Answers as long as the daemon lives', () => ok('alive\n')),
      textRoute('/readyz', 'Refused while another console works', () =>
        refuse('standing-by', `${this.#holder} works`),
      ),
    ];
    const sessions = new Sessions({
      find: (digest) =>
        Promise.resolve(
          digest === token ? { name: 'token-file', role: 'administer', until: Infinity } : undefined,
        ),
    });
    this.#api = serveApi({
      title: 'a console that stands by',
      version: packageVersion(),
      host: config.api.host,
      port: config.api.port,
      ...(open ? { tls } : {}),
      names: config.api.names,
      access: sessions,
      routes: [...texts, ...redundancyRoutes(this.#store, this.#instances, this.#instance)],
      otherwise: refusal,
      log,
      now: () => clocks.wall(),
      audit: () => Promise.resolve(),
    });
    const api = await this.#api;
    if (!api.ok) return log.warn('standing-by', { code: api.refusal.code, detail: api.refusal.detail ?? '' });
    log.info('standing-by', { holder, api: api.value.url });
    const pin = open ? { pin: certificatePin(tls.cert) } : {};
    writeFileWhole(
      files.running,
      `${JSON.stringify({ url: api.value.url, pid: process.pid, ...pin })}\n`,
      0o644,
    );
  }

  async close(): Promise<void> {
    const api = await this.#api;
    if (!api?.ok) return;
    rmSync(this.#options.files.running, { force: true });
    await api.value.close();
  }
}

function textRoute(path: string, summary: string, read: () => Result<string>): TextRoute {
  return {
    kind: 'text',
    method: 'GET',
    path,
    summary,
    role: 'anyone',
    contentType: 'text/plain; charset=utf-8',
    read: () => Promise.resolve(read()),
  };
}
