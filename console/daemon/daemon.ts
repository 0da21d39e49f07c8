import { withoutCoreDumps } from '../../crypto/no-core-dumps.js';
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Pair } from '../../crypto/rsa.js';
import type { Secret } from '../../crypto/secret.js';
import type { Log } from '../../protocol/log.js';
import type { Way } from '../../protocol/node-card.js';
import { ok, type Result } from '../../protocol/result.js';
import { accessRoutes } from '../access/routes.js';
import { Sessions } from '../access/sessions.js';
import { serveDoor } from '../api/doors.js';
import { tokenDigest } from '../api/access.js';
import type { AnyRoute } from '../api/route.js';
import { CallCounter, type Sample } from '../metrics/metrics.js';
import { metricsRoutes } from '../metrics/routes.js';
import { serveApi, type Api } from '../api/server.js';
import { packageVersion } from '../api/version.js';
import { KeySealer } from '../keys/file.js';
import { KeyRotation, openOwnKey } from '../keys/rotation.js';
import { rotationRoutes } from '../keys/rotation-routes.js';
import { NodeBook } from '../nodes/book.js';
import { Groups } from '../filters/groups.js';
import { manyFilterRoutes } from '../filters/many-routes.js';
import { filterActRoutes } from '../filters/act-routes.js';
import { filterRoutes } from '../filters/routes.js';
import { proofRoutes } from '../nodes/proof-routes.js';
import { Boots } from '../nodes/boots.js';
import { keyRoutes } from '../nodes/key-routes.js';
import { NodeKeys } from '../nodes/keys.js';
import { rosterRoutes } from '../nodes/roster-routes.js';
import { nodeRoutes, type BesideOf } from '../nodes/routes.js';
import type { Clocks } from '../nodes/session.js';
import { certificatePin } from '../../protocol/pin.js';
import { ownGateway } from './own-gateway.js';
import { Ways } from '../nodes/gateways.js';
import { openLevelStore } from '../store/level.js';
import type { KeyStore } from '../store/port.js';
import { Audit } from './audit.js';
import { ClockWatch } from './clock-watch.js';
import { answerWithinDefault_ms, isLoopback, readConfig, type ConsoleConfig } from './config.js';
import { shareStore, type Shared } from './shared.js';
import { consoleFiles, readFileLimited, readSecretFile, writeFileWhole, type ConsoleFiles } from './files.js';

/** What both consoles have, opened. */
export interface ConsoleParts {
  readonly files: ConsoleFiles;
  readonly config: ConsoleConfig;
  readonly pair: Pair;
  /** Opens the key file once more, after the key in it was replaced. */
  readonly sealer: KeySealer;
  readonly rotation: KeyRotation;
  /** Resolves when the key was replaced: all this has to be opened anew. */
  readonly turned: Promise<void>;
  readonly store: KeyStore;
  readonly book: NodeBook;
  readonly groups: Groups;
  readonly ways: Ways;
  readonly sessions: Sessions;
  readonly clocks: Clocks;
  readonly log: Log;
  readonly tls: { readonly cert: string; readonly key: string };
  /** All ways by which nodes and remote consoles reach whichever of our consoles works. */
  gateways(): Promise<readonly Way[]>;
  /** Only where several consoles share one store. */
  readonly shared: Shared | undefined;
}

export const systemClocks: Clocks = { wall: () => Date.now(), steady: () => performance.now() };

/** From the directory and the passphrase to everything that does not listen yet. */
export async function openConsole(
  dir: string,
  passphrase: Secret | KeySealer,
  log: Log,
  lost: (why: string) => void,
): Promise<Result<ConsoleParts>> {
  // Its own key is in its memory, and the shares of its leases come through it.
  withoutCoreDumps();
  const files = consoleFiles(dir);
  const config = readConfig(files.config);
  if (!config.ok) return config;
  const sealed = readSecretFile(files.key);
  if (!sealed.ok) return sealed;
  const token = readSecretFile(files.token);
  if (!token.ok) return token;
  const tlsKey = readSecretFile(files.tlsKey);
  if (!tlsKey.ok) return tlsKey;
  const tlsCertificate = readFileLimited(files.tlsCertificate);
  if (!tlsCertificate.ok) return tlsCertificate;
  const content = sealed.value.toString();
  const sealer = passphrase instanceof KeySealer ? ok(passphrase) : await KeySealer.of(content, passphrase);
  if (!sealer.ok) return sealer;
  const pair = sealer.value.open(content);
  if (!pair.ok) return pair;
  const own = openOwnKey(files, pair.value, sealer.value);
  if (!own.ok) return own;
  const ownToken = tokenDigest(token.value.toString().trim());
  const tls = { cert: tlsCertificate.value.toString(), key: tlsKey.value.toString() };
  const gateways = ownGateway(config.value, tls.cert);
  const shared =
    config.value.store &&
    (await shareStore(config.value.store, {
      config: config.value,
      files,
      tls,
      token: ownToken,
      gateway: gateways[0],
      clocks: systemClocks,
      log,
      lost,
    }));
  if (shared?.ok === false) return shared;
  const store = shared ? ok(shared.value.turn.store) : await openLevelStore(files.store);
  if (!store.ok) return store;
  const ways = new Ways(pair.value);
  const { askEvery_ms, answerWithin_ms, late_ms, unknown_ms, nodeKeyBits } = config.value;
  const book = new NodeBook({
    store: store.value,
    pair: pair.value,
    clocks: systemClocks,
    chance: () => randomInt(2 ** 32) / 2 ** 32,
    patience: { answer_ms: answerWithin_ms ?? answerWithinDefault_ms, late_ms, unknown_ms },
    ask_ms: askEvery_ms,
    keyBits: nodeKeyBits,
    log,
    connect: ways.connect,
    ownWays: gateways,
    ...(shared ? { may: () => shared.value.turn.may() } : {}),
  });
  const opened = await book.open();
  if (!opened.ok) {
    await store.value.close();
    return opened;
  }
  const sessions = new Sessions({
    find: (digest) =>
      Promise.resolve(
        digest === ownToken ? { name: 'token-file', role: 'administer', until: Infinity } : undefined,
      ),
  });
  let turn = (): void => {};
  const turned = new Promise<void>((resolve) => (turn = resolve));
  const rotation = new KeyRotation({
    files,
    name: config.value.name,
    own: own.value,
    store: store.value,
    book,
    now: () => systemClocks.wall(),
    log,
    turned: () => turn(),
  });
  return ok({
    sealer: sealer.value,
    rotation,
    turned,
    files,
    config: config.value,
    pair: pair.value,
    store: store.value,
    book,
    groups: new Groups(store.value, book),
    ways,
    sessions,
    clocks: systemClocks,
    log,
    tls,
    gateways: async () => shared?.value.instances.gateways(gateways) ?? gateways,
    shared: shared?.value,
  });
}

export interface Serving {
  readonly api: Api;
  close(): Promise<void>;
}

/** The API and the page. On an address that others can reach, only over TLS. */
export async function serveConsole(
  parts: ConsoleParts,
  options: {
    title: 'console-cluster' | 'console-app';
    routes: readonly AnyRoute[];
    samples?: () => Promise<readonly Sample[]>;
    besideOf?: BesideOf;
  },
): Promise<Result<Serving>> {
  const { config, files, sessions, book, groups, store, clocks, log } = parts;
  const now = (): number => clocks.wall();
  const audit = new Audit(store, now, log);
  const calls = new CallCounter();
  const watch = new ClockWatch(clocks, log);
  const keys = new NodeKeys(parts);
  const open = !isLoopback(config.api.host);
  const doors = {
    book,
    access: sessions,
    names: config.api.names,
    now,
    audit: async (...what: Parameters<Audit['note']>) => audit.note(...what),
  };
  const api = await serveApi({
    title: options.title,
    version: packageVersion(),
    host: config.api.host,
    port: config.api.port,
    ...(open ? { tls: parts.tls } : {}),
    names: config.api.names,
    access: sessions,
    routes: [
      ...accessRoutes(sessions, now),
      ...nodeRoutes(book, now, options.besideOf),
      ...proofRoutes(book, new Boots(parts)),
      ...keyRoutes(keys),
      ...rosterRoutes(book),
      ...rotationRoutes(parts.rotation),
      ...filterRoutes(book),
      ...filterActRoutes(book),
      ...groups.routes(),
      ...manyFilterRoutes(book, groups),
      ...audit.routes(),
      ...(parts.shared?.routes ?? []),
      ...metricsRoutes({
        book,
        store,
        calls,
        auditLost: () => audit.lost,
        clockJumps: () => watch.jumps,
        more: options.samples,
      }),
      ...options.routes,
    ],
    page: options.title,
    log,
    now,
    counted: (method, path, code) => calls.count(method, path, code),
    audit: async (caller, call) => audit.note(caller, call),
    upgraded: (request, socket, head) => void serveDoor(doors, request, socket, head),
  });
  if (!api.ok) return api;
  void keys.start();
  parts.rotation.start();
  const pin = open ? certificatePin(parts.tls.cert) : undefined;
  const running = { url: api.value.url, pid: process.pid, ...(pin === undefined ? {} : { pin }) };
  const written = writeFileWhole(files.running, `${JSON.stringify(running)}\n`, 0o644);
  if (!written.ok) log.warn('running-file', { detail: written.refusal.detail });
  return ok({
    api: api.value,
    async close() {
      rmSync(files.running, { force: true });
      watch.stop();
      await api.value.close();
      await parts.rotation.close();
      book.close();
      await parts.ways.close();
      await parts.shared?.close();
      await store.close();
    },
  });
}
