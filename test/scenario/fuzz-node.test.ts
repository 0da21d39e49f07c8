import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { authority } from '../../bmonitor/authority/table.js';
import { parseCommand } from '../../protocol/commands.js';
import { limits } from '../../protocol/limits.js';
import { formatEnvelope } from '../../protocol/wire.js';
import { craft } from '../fakes/craft.js';
import { binaryTargets } from '../fakes/fuzz-binary.js';
import { commandInputs, mutate, mutations } from '../fakes/fuzz-inputs.js';
import { fuzzTargets } from '../fakes/fuzz-targets.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';
import { cli, NodeProcess } from './node-process.js';
import { RawSocket } from './raw-socket.js';

/** Less than a source may have before it is cut off: each source says so much, and then another comes. */
const perSource = 24;
const sources = Number(process.env['FUZZ_SOURCES'] ?? 12);
const seed = Number(process.env['FUZZ_SEED'] ?? 3);

/** What of the node must not move: its record, its events, and every byte on its disk. */
interface Standing {
  readonly head: unknown;
  readonly nextEvent: unknown;
  readonly disk: string;
}

describe('a real node that is fed rubbish over its socket', function () {
  this.timeout(180_000);
  let node: NodeProcess;
  const plain: Socket[] = [];
  before(async () => {
    node = await NodeProcess.make();
    await node.start();
    // It makes pairs ahead by itself, and writes them down.
    await until(() => {
      const said = execFileSync(process.execPath, [cli, 'keys', '--dir', node.dir, '--json'], {
        encoding: 'utf8',
      });
      return (JSON.parse(said) as { sparePairs: number }).sparePairs >= limits.spare_pairs;
    });
  });
  after(async () => {
    for (const socket of plain) socket.destroy();
    await node.remove();
  });

  const standing = async (): Promise<Standing> => {
    const session = await node.session();
    const reply = value(await session.request({ command: { type: 'status' }, to: node.to }));
    session.close('done');
    return { head: reply.head, nextEvent: reply.result?.['nextEvent'], disk: await digestOfDisk(node.dir) };
  };

  /** Everything before it is small change: the floor of the time is durable, so that nothing is written by itself for a while. */
  const settle = async (): Promise<Standing> => {
    const session = await node.session();
    value(await session.request({ command: { type: 'node.rename', name: 'settled' }, to: node.to }));
    session.close('done');
    return standing();
  };

  const unchangedAfter = async (act: () => Promise<unknown>): Promise<void> => {
    const before = await settle();
    await act();
    expect(await standing()).to.deep.equal(before);
  };

  it('as text and bytes of every kind: nothing moves, and an honest console is answered', () =>
    unchangedAfter(async () => {
      const texts = [
        ...inputsOf('messages'),
        ...(inputsOf('envelopes') as string[]).map((it) => formatEnvelope('R1', it)),
      ];
      const bytes = [...inputsOf('frames'), ...inputsOf('gateway')];
      for (let at = 0; at < sources; at += 1) {
        const raw = await RawSocket.open(node);
        for (const one of part([...texts, ...bytes], at)) raw.say(one as string | Uint8Array);
        await answered(raw);
        raw.close();
      }
    }));

  it('as honest messages with something altered, after a good handshake', () =>
    unchangedAfter(async () => {
      for (let at = 0; at < sources; at += 1) {
        const raw = await RawSocket.open(node);
        const request = await craft(
          node.landlord,
          node.to,
          { type: 'node.rename', name: 'altered' },
          await raw.hello(),
        );
        const wire = formatEnvelope('R1', request.text);
        for (const list of fc.sample(mutations, { numRuns: perSource, seed: seed + at })) {
          const message = mutate(wire, list);
          if (message !== wire) raw.say(message);
        }
        await answered(raw);
        raw.close();
      }
    }));

  it('as commands of a console that is enrolled, well sealed, and wrong', () =>
    unchangedAfter(async () => {
      const wrong = fc
        .sample(commandInputs, { numRuns: sources * perSource, seed })
        .filter((it) => typeof it === 'object' && it !== null && harmless(it))
        .slice(0, sources * 8);
      const raw = await RawSocket.open(node);
      const codes = new Set<string>();
      for (const command of wrong)
        codes.add(
          await raw.outcome(
            await craft(node.landlord, node.to, command as Record<string, unknown>, await raw.hello()),
          ),
        );
      raw.close();
      expect([...codes]).to.include.members(['bad-input', 'unknown-command']);
    }));

  it('as connections that stop half-way: nothing moves, and an honest console is answered', () =>
    unchangedAfter(async () => {
      const port = Number(new URL(node.url).port);
      for (let at = 0; at < 48; at += 1) {
        const localAddress = RawSocket.newAddress();
        const socket = await connected(port, localAddress, at % 2 === 0);
        plain.push(socket);
        const said = [
          '',
          '\u0016\u0003\u0001',
          'GET / HTTP/1.1\r\nHost: x\r\n',
          'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n',
        ];
        socket.write(said[at % said.length] ?? '');
      }
    }));
});

async function answered(raw: RawSocket): Promise<void> {
  // A text that is nearly a hello may have been answered too: this one comes after all that was said.
  if (!raw.closed) await raw.hello().catch(() => undefined);
}

/** As it arrives: what is undefined here is not there any more. */
function harmless(command: object): boolean {
  const parsed = parseCommand(JSON.parse(JSON.stringify(command)), '');
  return !parsed.ok || !authority[parsed.value.type].changes;
}

function inputsOf(name: string): readonly unknown[] {
  const target = [...fuzzTargets, ...binaryTargets].find((one) => one.name === name);
  if (!target) throw new Error(`there is no target ${name}`);
  return fc.sample(target.inputs, { numRuns: sources * perSource, seed });
}

function part(all: readonly unknown[], at: number): readonly unknown[] {
  return all.filter((_, index) => index % sources === at).slice(0, perSource);
}

async function connected(port: number, localAddress: string, tls: boolean): Promise<Socket> {
  const plain = connectPlain({ port, host: '127.0.0.1', localAddress });
  const socket = tls ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain;
  plain.on('error', () => {});
  socket.on('error', () => {});
  await new Promise((resolve) =>
    socket.once(tls ? 'secureConnect' : 'connect', resolve).once('close', resolve),
  );
  return socket;
}

/** Without the directories of leases: a command that stores files there makes one, as it should. */
async function digestOfDisk(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (it) => it.isFile() && !it.parentPath.startsWith(join(folder, 'data')),
  );
  for (const path of files.map((it) => join(it.parentPath, it.name)).sort())
    hash.update(path).update(await readFile(path));
  return hash.digest('hex');
}
