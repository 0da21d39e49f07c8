import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { limits } from '../../../protocol/limits.js';
import { messageOf } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { EngineNetwork } from '../../ports/engines.js';
import type { FolderMount } from './folders.js';
import { launchScript } from './launch.js';

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
  /** Control groups for conmon. */
  readonly groups: readonly string[];
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

const router = '169.254.1.1';

/**
 * For ip, in the machine and in the engine. A routed pair of interfaces: one address on each side, every neighbour known beforehand, so that nobody asks for one and
 * nobody can answer wrongly. The engine's side has no IPv6, and so no neighbour discovery.
 */
function linesFor({
  interface: port,
  address,
  outsideMac,
  insideMac,
}: EngineNetwork): readonly [string, string] {
  return [
    [
      `link add ${port} address ${outsideMac} type veth peer name eth0 address ${insideMac} netns ENGINE`,
      `link set ${port} up`,
      `neigh add ${address} lladdr ${insideMac} dev ${port} nud permanent`,
      `route add ${address}/32 dev ${port}`,
      '',
    ].join('\n'),
    [
      `addr add ${address}/32 dev eth0`,
      'link set eth0 up',
      `neigh add ${router} lladdr ${outsideMac} dev eth0 nud permanent`,
      `route add ${router} dev eth0 scope link`,
      `route add default via ${router} dev eth0`,
      '',
    ].join('\n'),
  ];
}

function folderLines(folders: readonly FolderMount[]): string {
  return folders.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? 'ro' : 'rw']).join('\n');
}

/** Resolves with its first process when the engine is made and waits to be started. */
export function launch(at: Launch): Promise<Result<number>> {
  const { rootfs, firstId, run, layer, network } = at;
  const [outside, inside] = network ? linesFor(network) : ['', ''];
  const made = [
    rootfs,
    String(firstId),
    run,
    layer,
    outside,
    inside,
    at.groups.join('\n'),
    folderLines(at.folders),
  ];
  return new Promise((resolve) => {
    const child = spawn('/usr/bin/perl', ['-e', launchScript, ...made, ...conmonWords(at)], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        BM_MACHINE: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
        BM_LINK: network?.interface ?? '',
        BM_FILES: String(limits.engine_files_max),
        _OCI_SYNCPIPE: '3',
      },
    });
    const [, , stderr, answers] = child.stdio;
    let said = '';
    let complaint = '';
    const settle = (result: Result<number>): void => {
      clearTimeout(late);
      stderr?.destroy();
      answers?.destroy();
      resolve(result);
    };
    const late = setTimeout(
      () => settle(refuse('engine-failed', 'the runtime does not answer')),
      limits.engine_tool_ms_max,
    );
    child.on('error', (error) => settle(refuse('engines-not-here', messageOf(error))));
    stderr?.on('data', (piece: Buffer) => (complaint += piece.toString()));
    answers?.on('data', (piece: Buffer) => {
      said += piece.toString();
      const answer = createdPid(said);
      if (answer) settle(answer);
    });
    child.on('exit', (code) => {
      if (code !== 0) settle(refuse('engine-failed', complaint.trim().slice(-limits.tool_words_max)));
    });
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
