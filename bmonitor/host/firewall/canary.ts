import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Canary, CanaryOutcome } from '../../ports/firewall.js';

/**
 * The kernel tells who sends a datagram that a filter of its own dropped (EPERM) or answered (a refusal): the one proof
 * of enforcement that a node can make by itself. What is refused on the way in needs somebody outside to send it.
 */
const refusals: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'EACCES',
  'ECONNREFUSED',
  'EHOSTUNREACH',
]);

function send({ address, port }: Canary): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  return new Promise<boolean>((resolve) => {
    socket.on('error', () => resolve(false));
    socket.send('bmonitor canary', port, address, (error) => {
      const code = error === null ? undefined : (error as NodeJS.ErrnoException).code;
      resolve(error !== null && refusals.has(code));
    });
  }).finally(() => socket.close());
}

export async function sendCanaries(canaries: readonly Canary[]): Promise<readonly CanaryOutcome[]> {
  const outcomes: CanaryOutcome[] = [];
  for (const canary of canaries) outcomes.push({ ...canary, refused: await send(canary) });
  return outcomes;
}
