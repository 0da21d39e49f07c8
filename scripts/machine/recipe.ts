/** What the tested machine's system is made of, beside what Debian installs by necessity and what our package depends on. */
export const packages = [
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  // The generic kernel: the small one has no driver of a management controller or a SATA disk.
  'linux-image-amd64',
  'initramfs-tools',
  'busybox',
  'kmod',
  'nftables',
  'iproute2',
  'conntrack',
  'tcpdump',
  'procps',
  'util-linux',
  'tpm2-tools',
  'chrony',
  'crun',
  'ipmitool',
  'smartmontools',
  'cryptsetup-bin',
] as const;

/** Runs what the test says, with the output as the answer: there is no other way into the machine that a closed network leaves. */
const agent = `#!/bin/sh
port=/dev/virtio-ports/agent
# Started in the place of init, by somebody who has the machine in hand: nobody has prepared anything.
if [ $$ = 1 ]; then
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin
  modprobe virtio_console
  mkdir -p /dev/shm
  mount -t tmpfs tmpfs /dev/shm
  port=
  until [ -n "$port" ]; do
    sleep 0.1
    port=$(ls /dev/vport* 2>/dev/null | head -n 1)
  done
fi
exec <>"$port" >&0
while read -r number line; do
  printf %s "$line" | base64 -d >/run/agent.sh
  sh /run/agent.sh >/run/agent.out 2>&1 </dev/null
  echo "$number $? $(base64 -w0 /run/agent.out)"
done
`;

const agentUnit = `[Unit]
Description=Does what the test says
DefaultDependencies=no
After=systemd-udevd.service local-fs.target
[Service]
OOMScoreAdjust=-900
ExecStartPre=/bin/sh -c 'until [ -e /dev/virtio-ports/agent ]; do sleep 0.5; done'
ExecStart=/usr/local/sbin/agent
[Install]
WantedBy=sysinit.target
`;

/** As ifupdown or networkd would: the interface gets its address as early as a unit may that is ordered after network-pre.target. */
const networkUnit = `[Unit]
Description=The network of this machine, by somebody else than BMonitor
DefaultDependencies=no
Wants=network-pre.target
After=network-pre.target systemd-udevd.service
Before=network.target
ConditionPathExists=/etc/early-network
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'until [ -e /sys/class/net/eth0 ]; do sleep 0.3; done; ip link set eth0 up; ip address add 10.77.0.7/24 dev eth0'
[Install]
WantedBy=sysinit.target
`;

const emulated = [
  'aesni_intel',
  'ghash_clmulni_intel',
  'sha512_ssse3',
  'sha256_ssse3',
  'sha1_ssse3',
  'crc32_pclmul',
  'crct10dif_pclmul',
  'kvm_amd',
  'kvm_intel',
  'powernow_k8',
  'acpi_cpufreq',
  'iTCO_wdt',
  'i2c_i801',
  'lpc_ich',
  'pcspkr',
  'psmouse',
  'bochs',
  'ccp',
] as const;

export const files: Readonly<Record<string, { readonly content: string; readonly mode?: number }>> = {
  'usr/local/sbin/agent': { content: agent, mode: 0o755 },
  'etc/systemd/system/agent.service': { content: agentUnit },
  'etc/systemd/system/early-network.service': { content: networkUnit },
  'etc/early-network': { content: '' },
  // An emulated machine is slow, and slower still beside other tests: patience, where the package has bounds for real ones.
  'etc/systemd/system/bmonitor.service.d/slow.conf': {
    content: '[Service]\nTimeoutStartSec=1800\nWatchdogSec=600\n',
  },
  'etc/systemd/system.conf.d/60-slow.conf': { content: '[Manager]\nRuntimeWatchdogSec=60s\n' },
  // Stands for a watchdog device: Debian loads none by itself, and the emulated ones do not reset this machine. The controller speaks where
  // somebody opened the door to it.
  'etc/modules-load.d/devices.conf': { content: 'softdog\nipmi_si\nipmi_devintf\n' },
  'etc/fstab': { content: '/dev/vda / ext4 defaults 0 1\n' },
  'etc/hostname': { content: 'node-1\n' },
  // What an initrd of the generic kind holds besides is never needed here, and would be unpacked at each boot under emulation.
  'etc/initramfs-tools/conf.d/small': { content: 'MODULES=list\n' },
  'etc/initramfs-tools/modules': { content: 'virtio_pci\nvirtio_blk\next4\n' },
  // Loaded for what the processor claims to have; each tries itself out under emulation, and udev, which loads the agent's port, waits for it.
  'etc/modprobe.d/emulated.conf': {
    content: emulated.map((name) => `blacklist ${name}\n`).join(''),
  },
};

export const enabled = ['agent.service', 'early-network.service'] as const;

/** Started on every Debian, and of no use for what is tested: each costs a second under emulation. */
export const masked = [
  'e2scrub_reap.service',
  'e2scrub_all.timer',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'fstrim.timer',
  'systemd-logind.service',
  'systemd-binfmt.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-timesyncd.service',
  'modprobe@fuse.service',
  'modprobe@drm.service',
  'modprobe@efi_pstore.service',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'getty@tty1.service',
  'serial-getty@ttyS0.service',
] as const;

/** What protects the processor from reading ahead slows an emulated one that does not. */
export const commandLine = 'root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 panic=-1 mitigations=off';
/** What a server has no use for under emulation, and would be copied with each disk. */
export const unused = [
  'sound',
  'drivers/gpu',
  'drivers/media',
  'drivers/net/wireless',
  'drivers/infiniband',
  'drivers/staging',
] as const;

export const diskSize_mb = 2000;
