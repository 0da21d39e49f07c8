import { createSocket } from 'node:dgram';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Where such packets are sent by custom; the sleeping interface looks at what is in them, not at the port. */
const port = 9;

/** Six bytes of ones, and sixteen times the address of the interface that is to wake its machine. */
export function magicPacket(mac: string): Buffer {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => address)]);
}

/** Sends it three times, since nobody answers. Whether the machine woke is seen when its node speaks again. */
export async function wake(mac: string, broadcast: string): Promise<Result<void>> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    socket.setBroadcast(true);
    for (let at = 0; at < 3; at += 1)
      await new Promise<void>((resolve, reject) => {
        socket.send(magicPacket(mac), port, broadcast, (error) => (error ? reject(error) : resolve()));
      });
    return ok(undefined);
  } catch (error) {
    return refuse('controller-failed', messageOf(error));
  } finally {
    socket.close();
  }
}
