/**
 * What stands between BMonitor and conmon for a moment: a script that makes what the runtime cannot make itself, and then becomes conmon. Node.js has no
 * system calls for namespaces and mounts, and perl-base is on every Debian machine.
 *
 * One stands ready before it is needed (cradles.ts), with a network namespace and a user namespace that nobody uses yet. When it is told for what, it makes, in a mount
 * namespace of its own, which goes when conmon goes, so that nothing is ever left to clean up:
 *
 * - the image is mounted with its ids shifted into the engine's range (mount_setattr), so that all engines share the one copy at rest;
 * - over it comes the engine's own layer (overlayfs), unless nothing is written;
 * - folders of the lease that it mounts are shifted in the same way, so that engines with other ids can share them;
 * - the network namespace, which belongs to the machine and not to the engine: not even its root can change it.
 *
 * The network itself is made by a process beside it, while the runtime makes the engine: neither needs the other before the engine's first step. What becomes of it
 * is said on a pipe of its own.
 *
 * Its words come on the standard input, each with a NUL behind it: rootfs, base id, folder of the run, folder of the layer or "", the interface or "", lines for ip in
 * the machine (three texts: what makes the interface, what gives it IPv4, what gives it IPv6) and in the engine (two), folders as three lines each (from, to, ro or rw), then conmon and its words, then
 * "end". Without an end, nobody wants it any more.
 */
export const launchScript = String.raw`
use strict; use warnings;
# BMonitor's own files are nobody else's; those that are made here are the engine's.
umask 022;
my ($groups) = @ARGV;
my $empty = "";
my $aarch64 = $ENV{BM_MACHINE} eq "aarch64";
sub fail { my ($what) = @_; print STDERR "$what: $!\n"; exit 1; }
sub call { my ($what, $number, @words) = @_; my $got = syscall($number, @words); fail($what) if $got < 0; return $got; }
for my $group (split /\n/, $groups) {
  open(my $file, ">", "$group/cgroup.procs") or fail($group);
  syswrite($file, "$$") or fail($group);
}
my $new_ns = 0x20000; my $new_user = 0x10000000; my $new_net = 0x40000000;
my ($unshare, $mount) = $aarch64 ? (97, 40) : (272, 165);
sub child {
  my ($work) = @_;
  pipe(my $ready, my $tell) or fail("pipe"); pipe(my $hold, my $let) or fail("pipe");
  my $pid = fork(); fail("fork") unless defined $pid;
  if (!$pid) { close STDIN; close $ready; close $let; $work->(); syswrite($tell, "x"); sysread($hold, my $byte, 1); exit 0; }
  close $tell; close $hold;
  sysread($ready, my $byte, 1) or do { print STDERR "a namespace could not be made\n"; exit 1; };
  return ($pid, $let);
}
sub ip { my ($lines) = @_; return if $lines eq ""; open(my $ip, "|-", "ip", "-batch", "-") or fail("ip"); print $ip $lines; close $ip or do { print STDERR "ip: $lines\n"; exit 1; }; }
sub shut { my ($number) = @_; open(my $at, ">>&=", $number) or fail("pipe"); close $at; }
sub set { my ($file, $value) = @_; open(my $at, ">", "/proc/sys/net/$file") or return; syswrite($at, $value); }
my $six = 0;
if (open(my $off, "<", "/proc/sys/net/ipv6/conf/all/disable_ipv6")) { $six = <$off> == 0; }
my ($net, $nethold) = child(sub {
  call("network namespace", $unshare, $new_net);
  set("ipv4/ip_unprivileged_port_start", "0");
  set("ipv4/ping_group_range", "0 2147483647");
  set("ipv6/conf/all/accept_ra", "0"); set("ipv6/conf/default/accept_ra", "0");
  set("ipv6/conf/default/disable_ipv6", "1") unless $six;
  # No address that nobody gave, and no words to neighbours: all that an engine needs of them is known.
  set("ipv6/conf/default/addr_gen_mode", "1"); set("ipv6/conf/default/accept_dad", "0");
  ip("link set lo up\n");
});
my ($user, $userhold) = child(sub { call("user namespace", $unshare, $new_user); });
my $words = do { local $/; <STDIN> } // "";
my ($rootfs, $base, $run, $layer, $link, $outside, $outside4, $outside6, $inside4, $inside6, $folders, @conmon) = split /\0/, $words, -1;
# A NUL stands behind each, the last one too.
exit 0 unless @conmon > 2 && pop @conmon eq "" && pop @conmon eq "end";
open(STDIN, "<", "/dev/null") or fail("null");
call("unshare", $unshare, $new_ns);
# What the machine unmounts is unmounted here too; what is mounted here is not seen there.
my ($none, $slash) = ("none", "/");
call("slave", $mount, $none, $slash, $none, 0x80000 | 0x4000, 0);
open(my $target, ">", "$run/net") or fail("net"); close $target;
my ($source, $to) = ("/proc/$net/ns/net", "$run/net");
call("net", $mount, $source, $to, $none, 0x1000, 0);
open(my $enter, "<", $source) or fail("net");
my $network = fork(); fail("fork") unless defined $network;
if (!$network) {
  # What it complains of is heard where it is said that it stands.
  open(my $said, ">>&=", 4) or fail("pipe"); open(STDERR, ">&", $said) or fail("pipe");
  close $nethold; close $userhold;
  shut(3);
  if ($link ne "") {
    # What was left of an engine whose last process is only just gone.
    system("ip link delete $link 2>/dev/null") if -e "/proc/sys/net/ipv4/conf/$link";
    ip($outside);
    if ($six) {
      # It answers no neighbour and hears no router: the one behind it is known.
      set("ipv6/conf/$link/addr_gen_mode", "1"); set("ipv6/conf/$link/accept_ra", "0"); set("ipv6/conf/$link/accept_dad", "0"); set("ipv6/conf/$link/forwarding", "0");
    }
    ip($outside4 . ($six ? $outside6 : ""));
    my $setns = $aarch64 ? 268 : 308;
    call("setns", $setns, fileno($enter), $new_net);
    ip($inside4 . ($six ? $inside6 : ""));
  }
  syswrite($said, "ok\n");
  exit 0;
}
for my $map ("uid_map", "gid_map") {
  open(my $file, ">", "/proc/$user/$map") or fail($map);
  syswrite($file, "0 $base 65536\n") or fail($map);
}
sub shifted {
  my ($from, $to, $readonly) = @_;
  open(my $ns, "<", "/proc/$user/ns/user") or fail("user namespace");
  my $tree = call("open_tree", 428, -100, $from, 0x1 | 0x80000);
  my $attributes = pack("QQQQ", 0x100000 | 0x2 | 0x4 | ($readonly ? 0x1 : 0), 0, 0, fileno($ns));
  call("mount_setattr", 442, $tree, $empty, 0x1000, $attributes, 32);
  call("move_mount", 429, $tree, $empty, -100, $to, 0x4);
}
mkdir "$run/lower"; mkdir "$run/root";
if ($layer eq "") { shifted($rootfs, "$run/root", 1); }
else {
  shifted($rootfs, "$run/lower", 1);
  my ($overlay, $to) = ("overlay", "$run/root");
  my $options = "lowerdir=$run/lower,upperdir=$layer/upper,workdir=$layer/work";
  call("overlay", $mount, $overlay, $to, $overlay, 0x2 | 0x4, $options);
}
my @folders = split /\n/, $folders;
while (my ($from, $to, $how) = splice(@folders, 0, 3)) {
  mkdir $to; shifted($from, $to, $how eq "ro");
}
# They end by that; who becomes of this here has no children of its own, and so theirs are the machine's.
close $userhold; close $nethold;
# What the engine inherits: open files up to a limit, and no core dumps, which would be copies of its memory.
sub bound {
  my ($resource, $most) = @_;
  my $old = pack("QQ", 0, 0); my $prlimit = $aarch64 ? 261 : 302;
  # Not by call, which would have the kernel write into a copy.
  syscall($prlimit, 0, $resource, 0, $old) == 0 or fail("prlimit");
  my ($soft, $hard) = unpack("QQ", $old);
  my $next = $hard < $most ? $hard : $most;
  my $new = pack("QQ", $next, $next);
  call("prlimit", $prlimit, 0, $resource, $new, 0);
}
bound(7, $ENV{BM_FILES}); bound(4, 0);
shut(4);
exec { $conmon[0] } @conmon or fail("conmon");
`;
