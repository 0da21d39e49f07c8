import { engineDefaults } from '../../../protocol/engines.js';
import { limits } from '../../../protocol/limits.js';
import { refuse, ok, type Result } from '../../../protocol/result.js';
import type { StartOrder } from '../../ports/engines.js';
import type { FolderMount } from './folders.js';
import type { ImageConfig } from './images/oci.js';
import { seccomp } from './seccomp.js';
import type { Owner } from './secret-files.js';

/** Each engine has 65,536 ids of its own, above those of people, services and other containers of the machine. */
const ids = 65_536;
const firstIds = 0x7000_0000;

export function firstIdOf(slot: number): number {
  const first = firstIds + slot * ids;
  if (slot < 1 || slot > limits.engine_slots_max) throw new Error(`no such slot: ${slot}`);
  return first;
}

/** What Docker leaves to containers, less raw sockets, making devices and writing to the audit. */
const capabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

const masked = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
];

const readOnly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface EngineUser {
  readonly uid: number;
  readonly gid: number;
}

export interface SpecParts {
  readonly order: StartOrder;
  readonly image: ImageConfig;
  readonly rootfs: string;
  readonly netns: string;
  readonly cgroup: string;
  readonly user: EngineUser;
  /** A folder with `hosts`, `hostname` and `resolv.conf`. */
  readonly files: string;
  /** The folder of its own socket. */
  readonly interface: string;
  /** The folder of its secrets. */
  readonly secrets: string;
  readonly machine: string;
  /** Of its memory, as the control groups of this machine have it. */
  readonly memory: Readonly<Record<string, number>>;
  /** Where the folders that it mounts are in the machine, in their order. */
  readonly folders: readonly FolderMount[];
}

/** What the runtime is told: the whole isolation of an engine on one page. */
export function specOf(parts: SpecParts): Result<Readonly<Record<string, unknown>>> {
  const { order, image, rootfs, netns, cgroup, machine, user } = parts;
  const { settings } = order;
  const args = settings.command ?? [...image.entrypoint, ...image.command];
  if (args.length === 0) return refuse('engine-failed', 'neither its settings nor its image name a command');
  const first = firstIdOf(order.slot);
  const mapping = [{ containerID: 0, hostID: first, size: ids }];
  return ok({
    ociVersion: '1.0.2',
    hostname: order.name,
    root: { path: rootfs, readonly: settings.readOnly === true },
    process: {
      terminal: settings.terminal === true,
      user,
      args,
      env: environment(image.env, settings.env ?? {}),
      cwd: settings.workdir ?? image.workdir,
      capabilities: Object.fromEntries(
        ['bounding', 'effective', 'permitted'].map((set) => [set, capabilities]),
      ),
      noNewPrivileges: true,
      // It is the first to go when the machine has no memory left, and BMonitor the last.
      oomScoreAdj: 500,
    },
    mounts: mountsOf(parts),
    linux: {
      uidMappings: mapping,
      gidMappings: mapping,
      namespaces: [
        ...['pid', 'mount', 'ipc', 'uts', 'user', 'cgroup'].map((type) => ({ type })),
        { type: 'network', path: netns },
      ],
      cgroupsPath: cgroup,
      resources: resourcesOf(settings, parts.memory),
      seccomp: seccomp(machine),
      maskedPaths: masked,
      readonlyPaths: readOnly,
    },
  });
}

export function memoryOf({ memory_mb = engineDefaults.memory_mb }: StartOrder['settings']): number {
  return memory_mb * 1024 * 1024;
}

function resourcesOf(
  settings: StartOrder['settings'],
  memory: SpecParts['memory'],
): Readonly<Record<string, unknown>> {
  const period = 100_000;
  const share = settings.processor_thousandths ?? engineDefaults.processor_thousandths;
  return {
    devices: [{ allow: false, access: 'rwm' }],
    memory,
    cpu: { period, quota: Math.max(1000, Math.floor((period * share) / 1000)) },
    pids: { limit: settings.processes ?? engineDefaults.processes },
  };
}

function mountsOf({
  files,
  order,
  interface: own,
  folders,
  secrets,
}: SpecParts): readonly Readonly<Record<string, unknown>>[] {
  const tmpfs = (destination: string, ...options: readonly string[]): Readonly<Record<string, unknown>> => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  });
  const given = (name: string): Readonly<Record<string, unknown>> => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: `${files}/${name}`,
    options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec'],
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=64k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    // What is written there counts as memory of the engine.
    tmpfs('/dev/shm', 'noexec', 'mode=1777'),
    tmpfs('/sys', 'ro', 'noexec', 'mode=755', 'size=4k'),
    ...(order.settings.readOnly === true ? [tmpfs('/tmp', 'mode=1777'), tmpfs('/run', 'mode=755')] : []),
    ...['hosts', 'hostname', 'resolv.conf'].map(given),
    { ...given('bmonitor'), destination: '/run/bmonitor', source: own },
    ...folders.map(({ to, at, readOnly: ro }) => ({
      destination: at,
      type: 'bind',
      source: to,
      options: ['bind', ro ? 'ro' : 'rw', 'nosuid', 'nodev'],
    })),
    ...(order.settings.files ?? []).map(({ at }, index) => ({
      ...given(`given-${index}`),
      destination: at,
    })),
    ...((order.settings.secrets ?? []).length > 0
      ? [{ ...given('secrets'), destination: '/run/secrets', source: secrets }]
      : []),
  ];
}

function environment(image: readonly string[], own: Readonly<Record<string, string>>): readonly string[] {
  const all = new Map<string, string>([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ]);
  for (const line of image) all.set(line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1));
  for (const [name, value] of Object.entries(own)) all.set(name, value);
  return Array.from(all, ([name, value]) => `${name}=${value}`);
}

/** Who it runs as, in ids of the machine. */
export function ownerIn(slot: number, spec: Readonly<Record<string, unknown>>): Owner {
  const { user } = spec['process'] as { readonly user: Owner };
  return { uid: firstIdOf(slot) + user.uid, gid: firstIdOf(slot) + user.gid };
}

/** `1000`, `1000:1000`, `www-data` or `www-data:www-data`, by the image's own files. */
export function userOf(
  text: string,
  { passwd, group }: { readonly passwd: string; readonly group: string },
): EngineUser | undefined {
  const [user = '', of] = text.split(':');
  const entry = lineOf(passwd, user, 2);
  const uid = entry ? Number(entry[2]) : asId(user);
  const gid =
    of === undefined ? (entry ? Number(entry[3]) : 0) : (asId(of) ?? Number(lineOf(group, of, 2)?.[2]));
  return uid !== undefined && isId(uid) && isId(gid) ? { uid, gid } : undefined;
}

function lineOf(file: string, name: string, idAt: number): readonly string[] | undefined {
  const lines = file.split('\n').map((line) => line.split(':'));
  return lines.find((fields) => fields[0] === name) ?? lines.find((fields) => fields[idAt] === name);
}

function asId(text: string): number | undefined {
  return /^\d{1,5}$/u.test(text) ? Number(text) : undefined;
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < ids;
}
