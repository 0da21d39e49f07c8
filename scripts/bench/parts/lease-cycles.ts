// Runs in the network namespace of the bench: a daemon with a software TPM that filters there, and leases that come and go.
// Prints one line of JSON.
import { randomBytes } from 'node:crypto';
import type { PublicJwk } from '../../../crypto/rsa.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { Secret } from '../../../crypto/secret.js';
import type { Command } from '../../../protocol/commands.js';
import type { Addressee } from '../../../protocol/request.js';
import { SoftwareTpm } from '../../../test/fakes/swtpm.js';
import { addressee, ordinaryRights, rosterOf } from '../../../test/scenario/tenancy.js';
import type { NodeSession } from '../../../console/nodes/session.js';
import { BenchNode, must, pause } from './bench-node.js';

const [, , nic = '', ipv4 = '', cycles = '10', bits = '3072'] = process.argv;

interface Asked {
  readonly took_ms: number;
  readonly result: Readonly<Record<string, unknown>>;
}

/** From the sealed request to the opened reply. Without a spare pair it is asked again, and only the last one counts. */
async function ask(session: NodeSession, to: Addressee, command: Command): Promise<Asked> {
  for (;;) {
    const started = performance.now();
    const reply = await session.request({ command, to });
    const took_ms = performance.now() - started;
    if (reply.ok) return { took_ms, result: reply.value.result ?? {} };
    if (reply.refusal.code !== 'no-spare-pair') must(reply);
    await pause(200);
  }
}

/** Disjoint, so that what is measured is their number. */
function filters(count: number, ports: number | string): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, at) => ({
    action: 'allow',
    direction: at % 2 === 0 ? 'in' : 'out',
    peers: [`10.${(at >> 14) & 63}.${(at >> 6) & 255}.${(at & 63) * 4}/30`],
    protocol: 'tcp',
    ports: [ports],
  }));
}

const replacement = (
  expect: number,
  count: number,
  otherwise: 'deny' | 'inherit',
  ports: number | string,
): Command => ({ type: 'filters.replace', expect, set: { otherwise, filters: filters(count, ports) } });

async function versionOf(session: NodeSession, to: Addressee): Promise<number> {
  const { result } = await ask(session, to, { type: 'status' });
  return (result['filters'] as { version: number }).version;
}

/** What one write of 32 bytes to the TPM takes with the tools alone: under a password, which no secret of a node is. */
async function bareWrite({ tools }: SoftwareTpm): Promise<number> {
  const stdin = Secret.take(new Uint8Array(randomBytes(32)));
  const started = performance.now();
  must(await tools.run('tpm2_nvwrite', ['-Q', bareIndex, '-C', bareIndex, '-i', '-'], { stdin }));
  return performance.now() - started;
}

const bareIndex = '0x01500001';

async function cycle(node: BenchNode, landlord: NodeSession, tenant: Pair, times: Times): Promise<void> {
  const until = Math.floor(Date.now() / 1000) + 3600;
  const granted = await ask(landlord, node.to, {
    type: 'lease.grant',
    to: rosterOf(tenant),
    rights: ordinaryRights,
    until,
  });
  times.grant.push(granted.took_ms);
  const { lease, level, pair } = granted.result as { lease: string; level: number; pair: { jwk: PublicJwk } };
  const theirs = await node.session(tenant);
  // Pairs are made ahead: a moment for that, as there would be.
  await node.settled();
  const taken = await ask(theirs, addressee(level, lease, pair.jwk), {
    type: 'lease.take',
    roster: rosterOf(tenant),
    key: true,
  });
  times.take.push(taken.took_ms);
  const to = addressee(level, lease, (taken.result as { pair: { jwk: PublicJwk } }).pair.jwk);
  await ask(theirs, to, replacement(await versionOf(theirs, to), 500, 'inherit', 443));
  theirs.close('done');
  await node.settled();
  times.end.push((await ask(landlord, node.to, { type: 'lease.end', lease })).took_ms);
  await node.settled();
}

interface Times {
  readonly grant: number[];
  readonly take: number[];
  readonly end: number[];
}

const tpm = await SoftwareTpm.make();
const times: Times = { grant: [], take: [], end: [] };
let node: BenchNode | undefined;
try {
  const keys = ['--keys', 'tpm', '--tpm', tpm.tcti, '--pcr', '0', '4', '7', '--key-bits', bits];
  const place = ['--interface', nic, '--address', ipv4];
  node = await BenchNode.make(...keys, ...place, '--file-bytes', String(16 * 1024 * 1024));
  await node.start();
  const landlord = await node.session();
  await ask(landlord, node.to, replacement(await versionOf(landlord, node.to), 500, 'deny', '443-444'));
  const tenant = await makePair(2048);
  const bare: number[] = [];
  const define = [bareIndex, '-C', 'o', '-s', '32', '-a', 'authread|authwrite'];
  must(await tpm.tools.run('tpm2_nvdefine', define));
  for (let at = 0; at < Number(cycles); at += 1) {
    await cycle(node, landlord, tenant, times);
    bare.push(await bareWrite(tpm));
  }
  console.log(JSON.stringify({ ...times, bare }));
  landlord.close('done');
} finally {
  await node?.remove();
  await tpm.remove();
}
