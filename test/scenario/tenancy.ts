import type { NodeSession } from '../../console/nodes/session.js';
import { makePair, publicKeyFromJwk, type Pair, type PublicJwk } from '../../crypto/rsa.js';
import type { CommandOf, Right } from '../../protocol/commands.js';
import type { Addressee } from '../../protocol/request.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import type { NodeProcess } from './node-process.js';

export interface Tenancy {
  readonly lease: string;
  readonly console: Pair;
  /** How to address the level, by the pair that only its holder was told of. */
  readonly to: Addressee;
  readonly granted: Readonly<Record<string, unknown>>;
  readonly taken: Readonly<Record<string, unknown>>;
}

export const ordinaryRights: readonly Right[] = ['engines', 'volumes', 'keys', 'boundaries'];

export function addressee(level: number, lease: string, jwk: PublicJwk): Addressee {
  const key = publicKeyFromJwk(jwk);
  if (!key) throw new Error('the node gave a key that is none');
  return { level, lease, key };
}

export function rosterOf(...pairs: readonly Pair[]): CommandOf<'lease.take'>['roster'] {
  return pairs.map((pair, at) => ({
    key: pair.public.jwk,
    name: `console-${at}`,
    role: 'administrator' as const,
  }));
}

/** Pairs are made ahead, and tests use them faster than anybody would: then the command is given again. */
export async function patiently(
  session: NodeSession,
  request: Parameters<NodeSession['request']>[0],
): Promise<Awaited<ReturnType<NodeSession['request']>>> {
  let reply = await session.request(request);
  await until(async () => {
    if (reply.ok || reply.refusal.code !== 'no-spare-pair') return true;
    reply = await session.request(request);
    return false;
  }, 120_000);
  return reply;
}

/** A lease from the landlord, granted and taken over the wire. */
export async function rent(
  node: Pick<NodeProcess, 'to' | 'landlord' | 'session'>,
  options: {
    readonly key?: boolean;
    readonly until_s?: number;
    readonly destroyAfter?: number;
    readonly rights?: readonly Right[];
    readonly from?: { readonly to: Addressee; readonly console: Pair };
  } = {},
): Promise<Tenancy> {
  const from = options.from ?? { to: node.to, console: node.landlord };
  const tenant = await makePair(2048);
  const session = await node.session(from.console);
  const reply = await patiently(session, {
    command: {
      type: 'lease.grant',
      to: rosterOf(tenant),
      rights: options.rights ?? ordinaryRights,
      until: options.until_s ?? Math.floor(Date.now() / 1000) + 3600,
      ...(options.destroyAfter === undefined ? {} : { destroyAfter: options.destroyAfter }),
    },
    to: from.to,
  });
  const granted = value(reply).result as { lease: string; level: number; pair: { jwk: PublicJwk } };
  session.close('done');
  const theirs = await node.session(tenant);
  const taken = value(
    await patiently(theirs, {
      command: { type: 'lease.take', roster: rosterOf(tenant), key: options.key ?? true },
      to: addressee(granted.level, granted.lease, granted.pair.jwk),
    }),
  ).result as { pair: { jwk: PublicJwk } };
  theirs.close('done');
  return {
    lease: granted.lease,
    console: tenant,
    to: addressee(granted.level, granted.lease, taken.pair.jwk),
    granted: granted as unknown as Readonly<Record<string, unknown>>,
    taken: taken as unknown as Readonly<Record<string, unknown>>,
  };
}
