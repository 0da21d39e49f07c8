import { createServer, type Socket } from 'node:net';
import { InvalidArgumentError, type Command } from 'commander';
import { clientFor, type ApiClient } from '../../console/cli/client.js';
import { doorThrough, type DoorEnd } from '../../console/cli/door.js';
import { orExit, refusalText } from '../../console/cli/output.js';
import { inputRecords, record, sizeRecord } from '../../protocol/records.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Ctrl-P Ctrl-Q leaves a terminal without ending what runs on it, as elsewhere. */
const leave = Buffer.from([0x10, 0x11]);

export function doorCommands(engines: Command, dirOf: () => string): void {
  engines
    .command('exec')
    .argument('<engine>')
    .argument('<node>')
    .argument('<command...>', 'the command and its words, after --')
    .option('--env <name=value>', 'one more variable (repeatable)', variable, {})
    .option('--no-terminal', 'pipes, also when this is a terminal')
    .description('run a command inside a running engine; it ends when this ends')
    .addHelpText(
      'after',
      `
Examples:
  engines exec web node-1 -- sh
  engines exec web node-1 -- cat /etc/hosts > hosts
  tar c conf | engines exec web node-1 -- tar x -C /srv

Exit codes: that of the command (128 and the signal when one ended it); 125 when it could not be run.
`,
    )
    .action(
      async (
        name: string,
        node: string,
        command: string[],
        flags: { env: Readonly<Record<string, string>>; terminal: boolean },
      ) => {
        const terminal = flags.terminal && process.stdin.isTTY && process.stdout.isTTY;
        const more = { env: flags.env, ...(terminal ? { terminal: sizeNow() } : {}) };
        await converse(dirOf(), node, { type: 'engine.exec', name, command, ...more }, terminal);
      },
    );
  engines
    .command('attach')
    .argument('<engine>')
    .argument('<node>')
    .description('see what an engine writes, and type to it if it has a terminal; Ctrl-P Ctrl-Q leaves it')
    .addHelpText('after', '\nExample:\n  engines attach shell node-1\n\nExit codes: 0 left, 125 refused.')
    .action((name: string, node: string) =>
      converse(dirOf(), node, { type: 'engine.attach', name }, process.stdin.isTTY),
    );
  engines
    .command('forward')
    .argument('<engine>')
    .argument('<node>')
    .argument(
      '<local:remote>',
      'a port of this machine (0 lets the system choose) and one inside the engine',
      ports,
    )
    .option('--json', 'print JSON')
    .description('listen on this machine’s loopback, and lead connections to a port inside the engine')
    .addHelpText(
      'after',
      '\nExample:\n  engines forward web node-1 9229:9229\n\nIt goes on until it is interrupted.',
    )
    .action(
      async (
        name: string,
        node: string,
        [local, port]: readonly [number, number],
        flags: { json?: boolean },
      ) => {
        const client = orExit(clientFor(dirOf()), flags.json);
        const at = orExit(await forward(client, node, name, local, port), flags.json);
        console.log(
          flags.json ? JSON.stringify({ port: at.port }) : `127.0.0.1:${at.port} leads to ${port} in ${name}`,
        );
      },
    );
}

/** Listens on loopback until it is closed; every connection there is one into the engine. */
export async function forward(
  client: ApiClient,
  node: string,
  name: string,
  local: number,
  port: number,
): Promise<Result<{ readonly port: number; readonly close: () => void }>> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void lead(socket, async (output) =>
      doorThrough(client, node, { type: 'engine.forward', name, port }, output),
    );
  });
  return new Promise((resolve) => {
    server.on('error', (error) => resolve(refuse('cannot-listen', error.message)));
    server.listen(local, '127.0.0.1', () => {
      const at = server.address() as { readonly port: number };
      resolve(ok({ port: at.port, close: () => server.close() }));
    });
  });
}

type Open = (output: (bytes: Buffer) => boolean) => ReturnType<typeof doorThrough>;

/** One connection, there and back. */
async function lead(local: Socket, open: Open): Promise<void> {
  local.on('error', () => local.destroy());
  const door = await open((bytes) => bytes.length === 0 || local.write(bytes));
  if (!door.ok) {
    console.error(refusalText(door.refusal));
    local.destroy();
    return;
  }
  const { socket, ended } = door.value;
  local.on('drain', () => socket.resume());
  local.on('close', () => socket.destroy());
  local.on('end', () => socket.write(record('inputEnd')));
  typeInto(local, socket, (bytes) => bytes);
  const { failed, refusal } = await ended;
  if (failed !== undefined) console.error(failed);
  if (refusal) console.error(refusalText(refusal));
  local.end();
}

/** What comes from a source goes into a door, no faster than it is taken. */
function typeInto(source: NodeJS.ReadableStream, socket: Socket, of: (bytes: Buffer) => Buffer): void {
  socket.on('drain', () => source.resume());
  source.on('data', (piece: Buffer) => {
    const bytes = of(piece);
    if (bytes.length > 0 && !socket.write(inputRecords(bytes))) source.pause();
  });
}

type DoorCommand = Parameters<typeof doorThrough>[2];

async function converse(dir: string, node: string, command: DoorCommand, raw: boolean): Promise<void> {
  const client = clientFor(dir);
  if (!client.ok) return refuseTo(client);
  let resume = (): void => {};
  const door = await doorThrough(client.value, node, command, (bytes, complaint) =>
    (complaint ? process.stderr : process.stdout).write(bytes),
  );
  if (!door.ok) return refuseTo(door);
  const { socket, ended } = door.value;
  resume = () => socket.resume();
  process.stdout.on('drain', resume);
  process.stderr.on('drain', resume);
  let left = false;
  if (raw) {
    process.stdin.setRawMode(true);
    const resize = (): void => {
      const { rows, columns } = sizeNow();
      socket.write(sizeRecord(rows, columns));
    };
    resize();
    process.stdout.on('resize', resize);
  }
  process.stdin.on('end', () => socket.write(record('inputEnd')));
  typeInto(process.stdin, socket, (bytes) => {
    const at = raw && command.type === 'engine.attach' ? bytes.indexOf(leave) : -1;
    if (at === -1) return bytes;
    left = true;
    socket.destroy();
    return Buffer.alloc(0);
  });
  const end = await ended;
  if (raw) process.stdin.setRawMode(false);
  process.stdin.pause();
  exitBy(end, command.type === 'engine.exec' && !left);
}

function exitBy({ code, failed, refusal }: DoorEnd, hasCode: boolean): void {
  if (refusal) console.error(refusalText(refusal));
  if (failed !== undefined) console.error(failed);
  const none = refusal || failed !== undefined || (hasCode && code === undefined);
  process.exit(none ? 125 : (code ?? 0));
}

function refuseTo(refused: { readonly refusal: Parameters<typeof refusalText>[0] }): never {
  console.error(refusalText(refused.refusal));
  process.exit(125);
}

function sizeNow(): { readonly rows: number; readonly columns: number } {
  return { rows: process.stdout.rows || 24, columns: process.stdout.columns || 80 };
}

function variable(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/su.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Write it as NAME=VALUE.');
  return { ...before, [name]: value };
}

function ports(text: string): readonly [number, number] {
  const [, local, remote] = /^(\d{1,5}):(\d{1,5})$/.exec(text) ?? [];
  const pair = [Number(local), Number(remote)] as const;
  if (remote === undefined || pair[0] > 65_535 || pair[1] > 65_535 || pair[1] < 1)
    throw new InvalidArgumentError('Write it as LOCAL:REMOTE, two ports.');
  return pair;
}
