import { existsSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { Cgroups } from './cgroups.js';
import { LeaseFolders } from './folders.js';
import { FolderImages } from './images/store.js';
import { EngineSockets } from './interface.js';
import { Instances } from './instances.js';
import { OciDoors } from './doors.js';
import { FolderLogs } from './logs.js';
import { OciRunner, type RunnerParts } from './runner.js';

export interface EngineHost {
  readonly runner: OciRunner;
  readonly images: FolderImages;
  readonly folders: LeaseFolders;
  readonly logs: FolderLogs;
  readonly doors: OciDoors;
  readonly sockets: EngineSockets;
}

const runtimes = {
  1: ['/usr/sbin/runc', '/usr/bin/runc'],
  2: ['/usr/bin/crun', '/usr/sbin/runc', '/usr/bin/runc'],
};

/** What this machine runs engines with. A refusal says what is missing; the node works without. */
export function openEngines(
  folder: string,
  parts: Pick<RunnerParts, 'folderOf' | 'network' | 'log' | 'voice'> & {
    readonly hasFolder: (lease: string) => Promise<boolean>;
  },
): Result<EngineHost> {
  const { folderOf } = parts;
  if (process.getuid?.() !== 0) return refuse('engines-not-here', 'BMonitor does not run as root');
  for (const tool of ['/usr/bin/conmon', '/usr/bin/perl'])
    if (!existsSync(tool)) return refuse('engines-not-here', `${tool} is not there`);
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const cgroups = new Cgroups(join(groupOfEngines(), name));
  const runtime = runtimes[cgroups.version].find(existsSync);
  if (runtime === undefined)
    return refuse('engines-not-here', 'neither runc nor a crun that works here is there');
  const images = new FolderImages(folderOf, bootId(), parts.hasFolder);
  const instances = new Instances(join('/run/bmonitor', name));
  const sockets = new EngineSockets(parts.voice);
  const runner = new OciRunner({
    ...parts,
    images,
    instances,
    cgroups,
    runtime,
    sockets,
  });
  const doors = new OciDoors({ handleOf: (id) => runner.handleOf(id), instances, cgroups, runtime });
  const folders = new LeaseFolders(folderOf, parts.hasFolder);
  return ok({ runner, images, folders, logs: new FolderLogs(folderOf), doors, sockets });
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Under systemd, a unit of our own holds the groups, so that they outlive BMonitor's. */
function groupOfEngines(): string {
  const unit = 'system.slice/bmonitor-engines.service';
  const places = [`/sys/fs/cgroup/${unit}`, `/sys/fs/cgroup/systemd/${unit}`];
  return places.some(existsSync) ? `/${unit}` : '/bmonitor';
}
