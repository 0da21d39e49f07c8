import type { Socket } from 'node:net';
import type { Command } from '../../protocol/commands.js';
import { parseJson } from '../../protocol/json.js';
import { record, RecordReader, recordKinds } from '../../protocol/records.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { refusalIn, type ApiClient } from './client.js';

export interface DoorEnd {
  /** What a command ended with. */
  readonly code?: number;
  /** Why there was nothing behind the door. */
  readonly failed?: string;
  readonly refusal?: Refusal;
}

export interface CliDoor {
  readonly socket: Socket;
  readonly ended: Promise<DoorEnd>;
}

/** A door of an engine, by way of the daemon. Resolves when it is open. */
export async function doorThrough(
  client: ApiClient,
  node: string,
  command: Command,
  output: (bytes: Buffer, complaint: boolean) => boolean | undefined,
): Promise<Result<CliDoor>> {
  const upgraded = await client.upgrade();
  if (!upgraded.ok) return upgraded;
  const socket = upgraded.value;
  const reader = new RecordReader();
  let open: (result: Result<CliDoor>) => void = () => {};
  const opened = new Promise<Result<CliDoor>>((resolve) => (open = resolve));
  let end: DoorEnd = {};
  const ended = new Promise<DoorEnd>((resolve) => {
    socket.once('close', () => {
      open({ ok: false, refusal: end.refusal ?? { code: 'unreachable', detail: 'the daemon hung up' } });
      resolve(end);
    });
  });
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece: Buffer) => {
    const records = reader.take(piece);
    if (!records.ok) return void socket.destroy();
    for (const { kind, bytes } of records.value) {
      if (kind === recordKinds.order) open(ok({ socket, ended }));
      else if (kind === recordKinds.ended) end = { ...end, code: bytes[0] ?? 0 };
      else if (kind === recordKinds.failed) end = { ...end, failed: bytes.toString() };
      else if (kind === recordKinds.refused) end = { ...end, refusal: refusalOf(bytes) };
      else if (output(bytes, kind === recordKinds.complaint) === false) socket.pause();
    }
  });
  socket.write(record('order', Buffer.from(JSON.stringify({ node, command }))));
  return opened;
}

function refusalOf(bytes: Buffer): Refusal {
  const json = parseJson(bytes);
  const refused = json.ok ? refusalIn(json.value) : refuse('malformed');
  return refused.refusal;
}
