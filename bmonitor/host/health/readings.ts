import { join } from 'node:path';
import { lackingForDirectories } from '../data/detect.js';
import { MachineFiles, said } from './machine.js';

/** Reads what `bmonitor doctor` judges. Each reading that cannot be had is absent. */
export async function readMachine(files: MachineFiles = new MachineFiles()) {
  const [
    kernel,
    nft,
    tpm,
    ipmi,
    watchdog,
    cgroups,
    synchronised,
    swaps,
    corePattern,
    tools,
    service,
    secureBoot,
    measured,
    lackingForFiles,
    crypto,
    engineTools,
  ] = await Promise.all([
    files.text('proc/sys/kernel/osrelease'),
    said('nft', '--version'),
    readTpm(files),
    hasDevice(files, /^ipmi/),
    hasDevice(files, /^watchdog/),
    readCgroups(files),
    readClock(),
    readSwaps(files),
    files.text('proc/sys/kernel/core_pattern'),
    readTools(),
    readService('nftables.service'),
    readSecureBoot(files),
    readMeasured(files),
    lackingForDirectories(),
    files.text('proc/crypto'),
    readEngineTools(files),
  ]);
  const fileCipher = crypto === undefined ? undefined : cipherIn(crypto);
  return {
    ...(kernel === undefined ? {} : { kernel }),
    ...(nft === undefined ? {} : { nft }),
    ...(tpm === undefined ? {} : { tpm }),
    ...(ipmi === undefined ? {} : { ipmi }),
    ...(watchdog === undefined ? {} : { watchdog }),
    ...(cgroups === undefined ? {} : { cgroups }),
    ...(synchronised === undefined ? {} : { clockSynchronised: synchronised }),
    ...(swaps === undefined ? {} : { swaps }),
    ...(corePattern === undefined ? {} : { corePattern }),
    ...(service === undefined ? {} : { debianNftablesService: service }),
    ...(secureBoot === undefined ? {} : { secureBoot }),
    ...(measured === undefined ? {} : { measured }),
    lackingForFiles,
    ...(engineTools === undefined ? {} : { engineTools }),
    ...(fileCipher === undefined ? {} : { fileCipher }),
    tools,
  };
}

async function readTpm(files: MachineFiles): Promise<'tpm2' | 'tpm1' | 'none' | undefined> {
  if (!(await files.has('sys/class'))) return undefined;
  const version = await files.text('sys/class/tpm/tpm0/tpm_version_major');
  if (version === '2') return 'tpm2';
  if (version !== undefined) return 'tpm1';
  return (await files.has('sys/class/tpm/tpm0')) ? undefined : 'none';
}

async function hasDevice(files: MachineFiles, name: RegExp): Promise<boolean | undefined> {
  return (await files.names('dev'))?.some((device) => name.test(device));
}

async function readCgroups(files: MachineFiles): Promise<'v2' | 'v1' | 'hybrid' | 'none' | undefined> {
  if (await files.has('sys/fs/cgroup/cgroup.controllers')) return 'v2';
  const names = await files.names('sys/fs/cgroup');
  if (names === undefined) return undefined;
  if (names.length === 0) return 'none';
  return names.includes('unified') ? 'hybrid' : 'v1';
}

/** The kernel knows through adjtimex; of the tools at hand timedatectl and chronyc tell it. */
async function readClock(): Promise<boolean | undefined> {
  const systemd = await said('timedatectl', 'show', '--property=NTPSynchronized', '--value');
  if (systemd === 'yes' || systemd === 'no') return systemd === 'yes';
  const tracking = await said('chronyc', '-n', 'tracking');
  if (tracking === undefined) return undefined;
  return !/Leap status\s*:\s*Not synchronised/.test(tracking);
}

/** Of several the kernel takes the one of the highest priority. Undefined: none was needed since it started. */
export function cipherIn(crypto: string): string | undefined {
  const found = crypto
    .split('\n\n')
    .filter((entry) => /^name\s*: xts\(aes\)$/m.test(entry))
    .map((entry) => ({
      driver: /^driver\s*: (.*)$/m.exec(entry)?.[1] ?? '',
      priority: Number(/^priority\s*: (\d+)$/m.exec(entry)?.[1] ?? 0),
    }));
  return found.sort((a, b) => b.priority - a.priority)[0]?.driver;
}

/** zram is memory; what device-mapper's name says is crypt is encrypted. */
async function readSwaps(files: MachineFiles) {
  const table = await files.text('proc/swaps');
  if (table === undefined) return undefined;
  const names = table
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((name) => name !== '');
  return Promise.all(names.map(async (name) => ({ name, encrypted: await isEncrypted(files, name) })));
}

async function isEncrypted(files: MachineFiles, name: string): Promise<boolean | undefined> {
  const device = name.replace(/^\/dev\//, '');
  if (/^zram\d+$/.test(device)) return true;
  if (!/^dm-\d+$/.test(device)) return false;
  const id = await files.text(`sys/block/${device}/dm/uuid`);
  return id?.startsWith('CRYPT-');
}

async function readTools(): Promise<Readonly<Record<string, boolean>>> {
  const probes: Readonly<Record<string, string>> = {
    ip: '-V',
    perl: '-v',
    conntrack: '--version',
    tcpdump: '--version',
    tpm2_unseal: '--version',
    smartctl: '--version',
  };
  const found = await Promise.all(
    Object.entries(probes).map(
      async ([name, word]) => [name, (await said(name, word)) !== undefined] as const,
    ),
  );
  return Object.fromEntries(found);
}

/** Where BMonitor looks for them, and not along a path. */
async function readEngineTools(
  files: MachineFiles,
): Promise<readonly ('runc' | 'crun' | 'conmon')[] | undefined> {
  const folders = await Promise.all(['usr/bin', 'usr/sbin'].map((folder) => files.names(folder)));
  if (folders.every((names) => names === undefined)) return undefined;
  const names = folders.flatMap((found) => found ?? []);
  return (['runc', 'crun', 'conmon'] as const).filter((tool) => names.includes(tool));
}

async function readService(name: string): Promise<'enabled' | 'disabled' | undefined> {
  const all = await said('systemctl', 'list-unit-files', '--no-legend', '--no-pager', name);
  if (all === undefined) return undefined;
  return /\senabled\s/.test(`${all} `) ? 'enabled' : 'disabled';
}

/** The fifth byte of the variable: four bytes of attributes come before. */
async function readSecureBoot(files: MachineFiles): Promise<boolean | undefined> {
  const variable = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
  const value = (await files.bytes(variable))?.[4];
  return value === undefined ? undefined : value === 1;
}

async function readMeasured(files: MachineFiles): Promise<readonly number[] | undefined> {
  const registers = 'sys/class/tpm/tpm0/pcr-sha256';
  const names = await files.names(registers);
  if (names === undefined) return undefined;
  const values = await Promise.all(
    names.map(async (name) => ({ name, value: await files.text(join(registers, name)) })),
  );
  return values
    .filter(({ value }) => value !== undefined && !/^(0*|[fF]*)$/.test(value))
    .map(({ name }) => Number(name));
}
