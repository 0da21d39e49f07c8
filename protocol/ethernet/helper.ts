/**
 * The program behind a raw link. Node.js has no packet sockets and cannot bind a socket to a device, and before an address
 * exists nothing else will do; perl-base is on every Debian machine, as dpkg needs it. The program opens one packet socket on one
 * interface, lets the kernel pass it ARP and DHCP only, gives up root, and carries frames; it understands nothing of them.
 * See docs/decisions/0013-dhcp.md.
 *
 * On its pipes, both ways: two bytes of length, then as many bytes. Inwards they are a frame to send. Outwards the first byte says
 * what follows: `h` the interface's hardware address (once, at the start), `c` whether it has a carrier, `f` a frame that came.
 */
export const helperProgram = String.raw`
use strict; use warnings;
my ($name) = @ARGV;
my ($AF_PACKET, $SOCK_RAW, $ETH_P_ALL, $SOL_SOCKET, $SO_ATTACH_FILTER) = (17, 3, 3, 1, 26);
my ($SIOCGIFFLAGS, $SIOCGIFHWADDR, $SIOCGIFINDEX) = (0x8913, 0x8927, 0x8933);
my ($SO_RCVBUFFORCE, $MSG_DONTWAIT) = (33, 0x40);
my ($SIOCETHTOOL, $ETHTOOL_GLINK) = (0x8946, 10);
my ($IFF_UP, $IFF_RUNNING, $HOST, $BROADCAST, $MULTICAST) = (1, 64, 0, 1, 2);
sub say_out { my ($bytes) = @_; my $message = pack('n', length $bytes) . $bytes;
  while (length $message) { my $n = syswrite(STDOUT, $message); exit 0 unless defined $n; substr($message, 0, $n) = ''; } }
socket(my $link, $AF_PACKET, $SOCK_RAW, 0) or die "no packet socket: $!\n";
sub ask { my ($what) = @_; my $request = pack('a16 x24', $name);
  return ioctl($link, $what, $request) ? substr($request, 16) : undef; }
# Asked of the driver where it tells, because the flags lag behind by up to a second.
sub has_carrier { my ($flags) = @_;
  return 0 unless $flags & $IFF_UP;
  my $data = pack('L L', $ETHTOOL_GLINK, 0); my $request = pack('a16 P', $name, $data) . "\0" x 16;
  return unpack('x4 L', $data) ? 1 : 0 if ioctl($link, $SIOCETHTOOL, $request);
  return $flags & $IFF_RUNNING ? 1 : 0; }
# The kernel counts carriers that came or went, so that none is missed between two looks.
sub carrier_changes { open(my $file, '<', "/sys/class/net/$name/carrier_changes") or return 0;
  my $count = <$file>; return defined $count ? $count : 0; }
my $index = ask($SIOCGIFINDEX); defined $index or die "no interface $name: $!\n";
$index = unpack('i', $index);
# Untagged ARP, or an unfragmented UDP packet over IPv4 to port 67 or 68; the rest stays in the kernel.
my @rules = (
  [0x20, 0, 0, 0xfffff030], [0x15, 0, 12, 0],
  [0x28, 0, 0, 12], [0x15, 9, 0, 0x0806], [0x15, 0, 9, 0x0800],
  [0x30, 0, 0, 23], [0x15, 0, 7, 17],
  [0x28, 0, 0, 20], [0x45, 5, 0, 0x3fff],
  [0xb1, 0, 0, 14], [0x48, 0, 0, 16], [0x15, 1, 0, 67], [0x15, 0, 1, 68],
  [0x06, 0, 0, 65535], [0x06, 0, 0, 0],
);
my $rules = join '', map { pack('S C C L', @$_) } @rules;
setsockopt($link, $SOL_SOCKET, $SO_ATTACH_FILTER, pack('S x![P] P', scalar @rules, $rules)) or die "no filter: $!\n";
# A hall of machines that ask at once after a power cut.
setsockopt($link, $SOL_SOCKET, $SO_RCVBUFFORCE, pack('i', 8 << 20));
my $here = pack('S n i S C C x8', $AF_PACKET, $ETH_P_ALL, $index, 0, 0, 0);
bind($link, $here) or die "cannot bind to $name: $!\n";
my $hardware = ask($SIOCGIFHWADDR); defined $hardware or die "no hardware address: $!\n";
unpack('S', $hardware) == 1 or die "$name is not an Ethernet interface\n";
say_out('h' . substr($hardware, 2, 6));
$) = '65534 65534'; $( = 65534; $< = 65534; $> = 65534;
my $carrier = -1; my $changes = carrier_changes(); my $in = '';
my $looked = 0;
sub look {
  my $flags = ask($SIOCGIFFLAGS); exit 3 unless defined $flags;
  my $up = has_carrier(unpack('S', $flags));
  my $count = carrier_changes();
  if ($up && $carrier == 1 && $count != $changes) { say_out('c' . pack('C', 0)); $carrier = 0; }
  $changes = $count;
  if ($up != $carrier) { $carrier = $up; say_out('c' . pack('C', $up)); }
}
look();
while (1) {
  my $ready = ''; vec($ready, fileno(STDIN), 1) = 1; vec($ready, fileno($link), 1) = 1;
  # A tenth of a second when it is quiet, a second when it is busy.
  my $some = select($ready, undef, undef, 0.1);
  if ($some <= 0 || time != $looked) { $looked = time; look(); }
  next unless $some > 0;
  if (vec($ready, fileno($link), 1)) {
    for (1 .. 64) {
      my $from = recv($link, my $frame, 2048, $MSG_DONTWAIT);
      last unless defined $from && length($from) >= 12;
      my $kind = unpack('x10 C', $from);
      say_out('f' . $frame) if $kind == $HOST || $kind == $BROADCAST || $kind == $MULTICAST;
    }
  }
  if (vec($ready, fileno(STDIN), 1)) {
    my $n = sysread(STDIN, $in, 65536, length $in); exit 0 unless $n;
    while (length $in >= 2 && length $in >= 2 + (my $size = unpack('n', $in))) {
      my $frame = substr($in, 2, $size); substr($in, 0, 2 + $size) = '';
      send($link, $frame, 0, $here);
    }
  }
}
`;
