import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { parseCommand, type Command } from '../../protocol/commands.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { object, opaqueObject } from '../../protocol/parse.js';
import { nameText } from '../../protocol/fields.js';
import { record, RecordReader, recordKinds, type Recorded } from '../../protocol/records.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import type { NodeBook } from '../nodes/book.js';
import { openDoor, type OpenDoor } from '../nodes/door.js';
import { mayCall, mayReach, type Access, type Caller } from './access.js';
import { checkHost } from './guard.js';
import type { AuditedCall } from './server.js';
import { doorPath, doorProtocol } from './door-words.js';
import { errorBody } from './status.js';

export interface DoorOptions {
  readonly book: NodeBook;
  readonly access: Access;
  readonly names: readonly string[];
  readonly now: () => number;
  audit(caller: Caller, call: AuditedCall): Promise<void>;
}

const orderForm = object({ node: nameText, command: opaqueObject });
const through: ReadonlySet<string> = new Set<Command['type']>([
  'engine.exec',
  'engine.attach',
  'engine.forward',
]);

export function serveDoor(
  options: DoorOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  if (head.length > 0) socket.unshift(head);
  socket.on('error', () => socket.destroy());
  return answer(options, request, socket).catch(() => void socket.destroy());
}

async function answer(options: DoorOptions, request: IncomingMessage, socket: Duplex): Promise<void> {
  const caller = await callerOf(options, request);
  if (!caller.ok) {
    socket.end(`HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n${caller.refusal.code}`);
    return;
  }
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${doorProtocol}\r\n\r\n`);
  const reader = new RecordReader();
  let door: OpenDoor | undefined;
  // A door stays open for hours; a token that was revoked must not go on using it.
  const check = setInterval(() => {
    void options.access.holds(caller.value, options.now()).then((may) => {
      if (!may) socket.destroy();
    });
  }, limits.api_stream_check_ms);
  socket.on('close', () => {
    clearInterval(check);
    door?.hangUp();
  });
  // A refusal is still to be read when nothing more is taken in.
  for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (door) {
      if (!(await door.write(piece))) return;
      continue;
    }
    const records = reader.take(piece);
    const [first, ...rest] = records.ok ? records.value : [];
    if (records.ok && !first) continue;
    const order = records.ok ? orderOf(first) : records;
    // What is typed waits until the door is open.
    const opened = order.ok && rest.length === 0 ? await open(options, order.value, socket) : order;
    if (order.ok)
      await options.audit(caller.value, {
        route: `DOOR ${order.value.command.type}`,
        about: order.value.node,
        refusal: opened.ok ? undefined : opened.refusal,
      });
    if (!opened.ok || !('write' in opened.value))
      return refused(socket, opened.ok ? { code: 'malformed' } : opened.refusal);
    door = opened.value;
    if (socket.destroyed) return door.hangUp();
    socket.write(record('order'));
  }
  door?.hangUp();
  socket.end();
}

function open(
  { book }: DoorOptions,
  order: { readonly node: string; readonly command: Command },
  socket: Duplex,
): Promise<Result<OpenDoor>> {
  return openDoor(book, order, {
    async bytes(bytes) {
      if (!socket.write(bytes) && !socket.destroyed)
        await new Promise<void>((resolve) => {
          const done = (): void => {
            socket.off('drain', done).off('close', done);
            resolve();
          };
          socket.once('drain', done).once('close', done);
        });
    },
    ended: (why) => (why ? refused(socket, why) : void socket.end()),
  });
}

function refused(socket: Duplex, refusal: Refusal): void {
  const text = Buffer.from(JSON.stringify(errorBody(refusal)));
  socket.end(record('refused', text.subarray(0, limits.record_bytes_max)));
}

function orderOf(first: Recorded | undefined): Result<{ readonly node: string; readonly command: Command }> {
  if (first?.kind !== recordKinds.order) return refuse('malformed', 'the first record is an order');
  const json = parseJson(first.bytes);
  const order = json.ok ? orderForm(json.value, 'order') : json;
  if (!order.ok) return order;
  const command = parseCommand(order.value.command, 'command');
  if (!command.ok) return command;
  return through.has(command.value.type)
    ? ok({ node: order.value.node, command: command.value })
    : refuse('bad-input', 'a command that has no door', { where: 'command' });
}

/** Only by a token: a browser sends its cookie by itself, and no page of ours has a use for this. */
async function callerOf(options: DoorOptions, { headers, url }: IncomingMessage): Promise<Result<Caller>> {
  const host = checkHost(headers.host, options.names);
  if (!host.ok) return host;
  if (url !== doorPath || headers.upgrade !== doorProtocol) return refuse('no-such-route');
  const token = /^Bearer ([A-Za-z0-9_-]{20,100})$/.exec(headers.authorization ?? '')?.[1];
  const caller = await options.access.authenticate({ token, session: undefined }, options.now());
  if (!caller.ok) return caller;
  return mayReach(caller.value, doorPath) && mayCall(caller.value.role, 'operate')
    ? caller
    : refuse('not-permitted', `${caller.value.name} may not enter engines`);
}
