import { existsSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import type { EngineNetwork } from '../../ports/engines.js';
import { Cgroups } from './cgroups.js';
import { LeaseFolders } from './folders.js';
import { FolderImages } from './images/store.js';
import { EngineSockets, type EngineVerbs } from './interface.js';
import { Mailboxes, type Neighbour } from './mailboxes.js';
import { GivenSecrets, type SecretOf } from './given-secrets.js';
import { Instances } from './instances.js';
import { OciDoors } from './doors.js';
import { InnerSockets } from './inner-sockets.js';
import { HostProber } from './prober.js';
import { FolderLogs } from './logs.js';
import { SecretFiles } from './secret-files.js';
import { OciRunner, type RunnerParts } from './runner.js';

export interface EngineHost {
  readonly runner: OciRunner;
  readonly images: FolderImages;
  readonly folders: LeaseFolders;
  readonly logs: FolderLogs;
  readonly doors: OciDoors;
  readonly sockets: EngineSockets;
  readonly prober: HostProber;
  readonly mailboxes: Mailboxes;
  close(): Promise<void>;
}

const runtimes = {
  1: ['/usr/sbin/runc', '/usr/bin/runc'],
  2: ['/usr/bin/crun', '/usr/sbin/runc', '/usr/bin/runc'],
};

/** What this machine runs engines with. A refusal says what is missing; the node works without. */
export function openEngines(
  folder: string,
  parts: Pick<RunnerParts, 'folderOf' | 'mayStart' | 'network' | 'log' | 'voice'> & {
    readonly secretOf: SecretOf;
    readonly memory: EngineVerbs['memory'];
    readonly neighbours: (lease: string) => readonly Neighbour[];
    readonly node: () => string;
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
  const files = new SecretFiles(join('/run/bmonitor', name, 'secrets'));
  const secrets = new GivenSecrets(files, instances, parts.secretOf);
  const sockets = new EngineSockets(parts.voice, {
    secret: (id, name) => secrets.told(runner.handleOf(id), name),
    memory: (id, wanted_mb) => parts.memory(id, wanted_mb),
    send: (id, to, text) => mailboxes.send(id, to, text),
  });
  const runner = new OciRunner({
    ...parts,
    images,
    instances,
    cgroups,
    secrets,
    runtime,
    sockets,
  });
  const door = { handleOf: (id: string) => runner.handleOf(id), instances, cgroups, runtime };
  const inner = new InnerSockets();
  // Of its own: whoever floods an engine with connections holds up no probe.
  const post = new InnerSockets();
  const mailboxes = new Mailboxes({
    inner: post,
    handleOf: door.handleOf,
    sockets,
    secretOf: parts.secretOf,
    neighbours: parts.neighbours,
    node: parts.node,
    now: () => Date.now(),
    log: parts.log,
  });
  const prober = new HostProber({
    handleOf: door.handleOf,
    addressOf: (slot) => addressIn(parts.network(slot)),
    doors: new OciDoors(door),
    asker: sockets,
    inner,
  });
  return ok({
    runner,
    images,
    folders: new LeaseFolders(folderOf, parts.hasFolder),
    logs: new FolderLogs(folderOf),
    doors: new OciDoors(door),
    sockets,
    prober,
    mailboxes,
    async close() {
      inner.close();
      post.close();
      await runner.close();
    },
  });
}

function addressIn(network: Result<EngineNetwork | undefined>): string | undefined {
  return network.ok ? network.value?.address : undefined;
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
