// One half of a forwarded port: runs inside a place of the bed, takes connections on a Unix socket, which belongs to
// no network namespace, and carries them on to a port there.
import { connect, createServer, type Socket } from 'node:net';

const [path, host, port] = process.argv.slice(2);
if (path === undefined || host === undefined || port === undefined) throw new Error('relay PATH HOST PORT');

function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on('error', () => other.destroy());
  other.on('error', () => one.destroy());
}

createServer((socket) => join(socket, connect(Number(port), host))).listen(path, () =>
  console.log('relay ready'),
);
