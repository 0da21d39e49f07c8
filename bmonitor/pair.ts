import { randomInt } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { rsaBits } from '../crypto/rsa.js';
import type { Log } from '../protocol/log.js';
import type { NodeCard, Way } from '../protocol/node-card.js';
import { sameCode, type PairingCodes } from '../protocol/pairing/codes.js';
import { ok, refuse, type Result } from '../protocol/result.js';
import { AddressKeeper } from './addresses/keeper.js';
import { openAddressLink } from './host/addresses/link.js';
import { addressFile } from './host/addresses/memory.js';
import { hostClock } from './host/clock.js';
import { readHardware } from './host/hardware.js';
import { meet, type Meeting } from './host/pairing.js';
import { writeWhole } from './host/write-whole.js';
import { localStatus } from './local.js';
import { initNode, readConfig } from './main.js';
import type { Config } from './node/config.js';
import { version } from './version.js';

export interface PairOptions {
  readonly folder: string;
  readonly config: Config;
  /** How consoles reach the node straight. */
  readonly url: string;
  /** The console's gateway; the first of several. Absent: DHCP says it. */
  readonly gateway?: Way;
  /** The name of the node that is here and is destroyed for the new one. */
  readonly anew?: string;
  readonly waiting: (url: string) => void;
  /** Shows the machine's code, and gives what a person typed for the console's. */
  readonly compare: (codes: PairingCodes) => Promise<string>;
  readonly log: Log;
}

export interface Paired {
  readonly card: NodeCard;
  readonly console: string;
  /** Thumbprint of the console's key. */
  readonly landlord: string;
}

/** From a machine without a landlord to a node: nothing is made before both codes were compared, and each call is one try. */
export async function pairNode(options: PairOptions): Promise<Result<Paired>> {
  const { folder, config, log } = options;
  const free = await isFree(folder, options.anew);
  if (!free.ok) return free;
  const gateway = options.gateway ? ok(options.gateway) : await gatewayByDhcp(folder, config, log);
  if (!gateway.ok) return gateway;
  const { url, pin } = gateway.value;
  const hardware = await readHardware();
  const meeting = await meet({
    url: `${url.replace(/\/$/, '')}/pairing`,
    ...(pin === undefined ? {} : { pin }),
    keyBits: config.keyBits ?? rsaBits.normal,
    about: { name: config.name, version, hardware },
    waiting: () => options.waiting(url),
  });
  if (!meeting.ok) return meeting;
  const agreed = await agree(meeting.value, options);
  if (!agreed.ok) return agreed;
  const { claims, jws } = agreed.value;
  if (options.anew !== undefined) await rm(folder, { recursive: true, force: true });
  const card = await initNode({
    folder,
    config: { ...config, name: claims.name, gateways: gatewaysOf(config, claims.gateways, url) },
    landlord: [{ name: claims.console, key: meeting.value.console.jwk, role: 'administrator' }],
    url: options.url,
  });
  if (!card.ok) {
    meeting.value.refuse(card.refusal);
    return card;
  }
  // What the console said for good, for whoever asks later why this machine obeys it.
  await writeWhole(join(folder, 'adoption.jws'), Buffer.from(`${jws}\n`));
  const done = await meeting.value.adopted(card.value, hardware);
  return done.ok
    ? ok({ card: card.value, console: claims.console, landlord: meeting.value.console.id })
    : done;
}

/** A person at each side types what the other side shows; only then does either go on. */
async function agree(meeting: Meeting, { compare }: PairOptions): ReturnType<Meeting['accepted']> {
  const typed = await Promise.race([compare(meeting.codes), meeting.ended]);
  if (typeof typed !== 'string') return refuse(typed.code, typed.detail);
  if (!sameCode(meeting.codes.console, typed)) {
    const why = { code: 'pairing-code-wrong', detail: 'at the machine' } as const;
    meeting.refuse(why);
    return refuse(why.code, why.detail);
  }
  return meeting.accepted();
}

async function isFree(folder: string, anew: string | undefined): Promise<Result<true>> {
  const present = await readConfig(folder);
  if (!present.ok) return anew === undefined ? ok(true) : present;
  if (anew === undefined) return refuse('already-initialised', folder);
  if (anew !== present.value.name) return refuse('not-named', `the node here is ${present.value.name}`);
  const runs = await localStatus(folder);
  return runs.ok ? refuse('not-named', 'the node runs: stop it first') : ok(true);
}

/** The address at which the console was reached stays, now with the pin that only the console could vouch for. */
function gatewaysOf(config: Config, told: readonly Way[], reached: string): readonly Way[] {
  const pin = told.find((way) => way.pin !== undefined)?.pin;
  const own: Way = { via: 'gateway', url: reached, ...(pin === undefined ? {} : { pin }) };
  const others = [...(config.gateways ?? []), ...told];
  const ways = [own, ...others.filter(({ url }) => url !== reached)];
  return ways.filter(({ url }, at) => ways.findIndex((way) => way.url === url) === at).slice(0, 8);
}

/** Asks for an address as the node will, and takes the hint that comes with it. The address stays. */
async function gatewayByDhcp(folder: string, config: Config, log: Log): Promise<Result<Way>> {
  const { interface: link, dhcp, name } = config;
  if (dhcp !== true || link === undefined)
    return refuse('bad-input', 'name the console’s gateway, or an interface that asks by DHCP', {
      where: '--gateway',
    });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let arrived: (() => void) | undefined;
  const addressed = new Promise<void>((resolve) => (arrived = resolve));
  const keeper: AddressKeeper = new AddressKeeper({
    open: (events) => openAddressLink(link, events),
    clock: hostClock,
    random: () => randomInt(2 ** 47) / 2 ** 47,
    hostname: name,
    memory: addressFile(join(folder, 'address')),
    changed: (change) => {
      if (change.new !== undefined) arrived?.();
      return Promise.resolve();
    },
    log,
  });
  const started = await keeper.start();
  if (!started.ok) return started;
  await addressed;
  // Closing waits for the turn under way, after which the address is on the interface.
  await keeper.close();
  const hint = keeper.lease?.gateway;
  if (hint === undefined) return refuse('bad-input', 'DHCP names no gateway', { where: '--gateway' });
  const [at = '', pin] = hint.split('#');
  return ok({ via: 'gateway', url: `wss://${at}`, ...(pin === undefined ? {} : { pin }) });
}
