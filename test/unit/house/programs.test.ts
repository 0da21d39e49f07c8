import { expect } from 'chai';
import { tokensOf } from './lexer.js';
import { debianPackages, read, sources } from './sources.js';

/** Programs that are not on every Debian, and the package each comes from. A new one is added here and to the list. */
const packageOf: Readonly<Record<string, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  tc: 'iproute2',
  conntrack: 'conntrack',
  tcpdump: 'tcpdump',
  sysctl: 'procps',
  pgrep: 'procps',
  python3: 'python3',
  dnsmasq: 'dnsmasq-base',
  udhcpc: 'udhcpc',
  swtpm: 'swtpm',
  tpm2_unseal: 'tpm2-tools',
  xfs_io: 'xfsprogs',
  fio: 'fio',
  strace: 'strace',
  'mkfs.ext4': 'e2fsprogs',
  fallocate: 'util-linux',
  prlimit: 'util-linux',
  losetup: 'mount',
  chromium: 'chromium',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  openssl: 'openssl',
  runc: 'runc',
  crun: 'crun',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  'OVMF_CODE_4M.fd': 'ovmf',
  debootstrap: 'debootstrap',
  'linuxx64.efi.stub': 'systemd-boot-efi',
  objcopy: 'binutils',
  conmon: 'conmon',
  promtool: 'prometheus',
  'qemu-storage-daemon': 'qemu-system-common',
  socat: 'socat',
  iperf3: 'iperf3',
  ethtool: 'ethtool',
  ipmitool: 'ipmitool',
  ipmi_sim: 'openipmi',
  smartctl: 'smartmontools',
  taskset: 'util-linux',
  skopeo: 'skopeo',
  umoci: 'umoci',
  buildah: 'buildah',
  keyctl: 'keyutils',
  'secret-tool': 'libsecret-tools',
  'dbus-run-session': 'dbus-daemon',
  'libfaketime.so.1': 'libfaketime',
};
/** Used in another way than by their name in a text of a source. */
const otherwise = new Set(['gnome-keyring', 'mount', 'python3-cryptography', 'groff-base']);
/** Well-known names of services and words of nft's language that are no programs where they stand. */
const notPrograms = /^bmonitor\/filters\/(services|protocols)\.ts$|^test\/unit\//;

const used = new Set(
  sources
    .filter((file) => !notPrograms.test(file))
    .flatMap((file) => tokensOf(read(file)))
    .filter(({ kind }) => kind === 'text')
    // A program by its path, or the first word of a line that a shell is given.
    .map(({ value }) => value.split('/').at(-1) ?? ''),
);

describe('house: programs', () => {
  it('that are used come from a package that set-up installs', () => {
    const missing = Object.entries(packageOf).filter(
      ([name, from]) => used.has(name) && debianPackages[from] === undefined,
    );
    expect(missing).to.deep.equal([]);
  });

  it('of every package that set-up installs are used', () => {
    const needed = new Set(
      Object.entries(packageOf)
        .filter(([name]) => used.has(name))
        .map(([, from]) => from),
    );
    const idle = Object.keys(debianPackages).filter((name) => !needed.has(name) && !otherwise.has(name));
    expect(idle).to.deep.equal([]);
  });
});
