import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { EngineNetwork } from '../../ports/engines.js';
import type { FolderMount } from './folders.js';
import type { Cradle } from './cradles.js';
import { linesFor } from './network-lines.js';

export interface Launch {
  readonly instance: string;
  /** The folder of the run, with the bundle. */
  readonly run: string;
  readonly rootfs: string;
  /** Empty: nothing is written. */
  readonly layer: string;
  readonly folders: readonly FolderMount[];
  readonly firstId: number;
  readonly logs: string;
  readonly runtime: string;
  readonly runtimeRoot: string;
  readonly exits: string;
  readonly network: EngineNetwork | undefined;
  /** The engine has a terminal, to which somebody may be attached. */
  readonly terminal: boolean;
}

function conmonWords(at: Launch): readonly string[] {
  const { instance, run, runtime } = at;
  const pairs = {
    '-c': instance,
    '-u': instance,
    '-n': instance,
    '-r': runtime,
    '-b': run,
    '-0': run,
    '-p': join(run, 'pid'),
    '-P': join(run, 'watcher'),
    '-l': `k8s-file:${join(at.logs, 'now')}`,
    '--exit-dir': at.exits,
    '--log-size-max': String(limits.engine_log_alone_bytes_max),
    '--log-level': 'error',
  };
  return [
    '/usr/bin/conmon',
    `--runtime-arg=--root=${at.runtimeRoot}`,
    '--full-attach',
    '--no-sync-log',
    '--no-new-keyring',
    ...(at.terminal ? ['--terminal', '--stdin', '--leave-stdin-open'] : []),
    ...Object.entries(pairs).flat(),
  ];
}

function folderLines(folders: readonly FolderMount[]): string {
  return folders.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? 'ro' : 'rw']).join('\n');
}

function wordsFor(at: Launch): string {
  const { network } = at;
  const lines = linesFor(network, join(at.run, 'net'));
  const words = [
    at.rootfs,
    String(at.firstId),
    at.run,
    at.layer,
    network?.interface ?? '',
    ...lines,
    folderLines(at.folders),
    ...conmonWords(at),
    'end',
  ];
  return words.map((word) => `${word}\0`).join('');
}

/** Resolves with its first process when the engine and its network are made and it waits to be started. */
export async function launch(cradle: Cradle, at: Launch): Promise<Result<number>> {
  const network = networkMade(cradle);
  const made = engineMade(cradle);
  cradle.words.end(wordsFor(at));
  const pid = await made;
  if (!pid.ok) {
    cradle.network.destroy();
    return pid;
  }
  const connected = await network;
  return connected.ok ? pid : connected;
}

function engineMade({ child, complaints, answers }: Cradle): Promise<Result<number>> {
  return new Promise((resolve) => {
    let said = '';
    let complaint = '';
    const settle = (result: Result<number>): void => {
      clearTimeout(late);
      complaints.destroy();
      answers.destroy();
      resolve(result);
    };
    const late = setTimeout(
      () => settle(refuse('engine-failed', 'the runtime does not answer')),
      limits.engine_tool_ms_max,
    );
    child.on('error', (error) => settle(refuse('engines-not-here', messageOf(error))));
    complaints.on('data', (piece: Buffer) => (complaint += piece.toString()));
    answers.on('data', (piece: Buffer) => {
      said += piece.toString();
      const answer = createdPid(said);
      if (answer) settle(answer);
    });
    child.on('exit', (code) => {
      if (code !== 0) settle(refuse('engine-failed', complaint.trim().slice(-limits.tool_words_max)));
    });
  });
}

const stands = 'ok\n';

function networkMade({ network }: Cradle): Promise<Result<void>> {
  return new Promise((resolve) => {
    let said = '';
    const settle = (): void => {
      clearTimeout(late);
      network.destroy();
      const why = said.trim().slice(-limits.tool_words_max);
      resolve(said.endsWith(stands) ? ok(undefined) : refuse('engine-failed', `its network: ${why}`));
    };
    const late = setTimeout(settle, limits.engine_tool_ms_max);
    network.on('data', (piece: Buffer) => {
      said += piece.toString();
      if (said.endsWith(stands)) settle();
    });
    network.on('close', settle);
  });
}

/** What conmon says of the making: the process, or what the runtime complained of. */
function createdPid(said: string): Result<number> | undefined {
  const end = said.indexOf('\n');
  if (end === -1) return undefined;
  const { pid, message } = JSON.parse(said.slice(0, end)) as { pid?: number; message?: string };
  if (pid !== undefined && pid > 0) return ok(pid);
  return refuse(
    'engine-failed',
    (message ?? 'the runtime did not make it').trim().slice(-limits.tool_words_max),
  );
}
