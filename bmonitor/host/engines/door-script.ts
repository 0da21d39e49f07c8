/**
 * What stands at a door of an engine: terminals, sockets of whole packets and namespaces of others are beyond Node.js, and perl-base is on
 * every Debian machine. Both sides of it speak in records (protocol/records.ts). It ends with BMonitor, or when told to, and takes the command along that it
 * stands for.
 *
 *   exec NAMESPACE ROWS COLUMNS WORDS…   a command under the runtime, begun in the network namespace, on a terminal if there are rows
 *   attach SOCKET CONTROL           the terminal of the engine itself, as conmon has it
 *   connect NAMESPACE PORT          a connection inside the network namespace
 */
export const doorScript = String.raw`
use strict; use warnings; use Fcntl; use Socket; use POSIX ();
my ($mode, @words) = @ARGV;
my $most = 65536; my $wide = 262144;
my $arm = ($ENV{BM_MACHINE} || "") eq "aarch64";
my ($cut, $child) = (0, 0);
$SIG{PIPE} = "IGNORE"; $SIG{TERM} = sub { $cut = 1; };
syscall($arm ? 167 : 157, 1, 15, 0, 0, 0);
sub put {
  my ($kind, $bytes) = @_;
  my $all = pack("CN", $kind, length $bytes) . $bytes;
  for (my $at = 0; $at < length $all; ) {
    finish() if $cut;
    my $n = syswrite(STDOUT, $all, length($all) - $at, $at);
    if (defined $n) { $at += $n; } elsif ($! != POSIX::EINTR) { finish(); }
  }
}
sub failed { my ($why) = @_; put(6, $why); exit 0; }
# The command and what it started, but not what made itself independent: that belongs to the engine, and ends with it.
sub finish {
  if ($child) {
    my %under;
    if (opendir(my $all, "/proc")) {
      for my $pid (grep { /^\d+$/ } readdir $all) {
        open(my $file, "<", "/proc/$pid/stat") or next;
        my $line = <$file>; next unless defined $line && $line =~ /.*\) \S (\d+)/s;
        push @{$under{$1}}, $pid;
      }
    }
    my @found = ($child);
    for (my $at = 0; $at < @found; $at++) { push @found, @{$under{$found[$at]} || []}; }
    kill "KILL", @found;
    waitpid($child, 0);
  }
  exit 0;
}
sub enter {
  open(my $ns, "<", $_[0]) or failed("the engine has ended");
  syscall($arm ? 268 : 308, fileno($ns), 0x40000000) == 0 or failed("its network cannot be entered: $!");
}
my ($to, @from); my $size = sub {}; my $end = sub {};
if ($mode eq "exec") {
  my ($namespace, $rows, $columns, @command) = @words; enter($namespace);
  if ($rows) {
    sysopen(my $master, "/dev/ptmx", O_RDWR | O_NOCTTY) or failed("no terminal: $!");
    my $open = pack("i", 0); ioctl($master, 0x40045431, $open) or failed("no terminal: $!");
    my $number = pack("i", 0); ioctl($master, 0x80045430, $number) or failed("no terminal: $!");
    my $slave = "/dev/pts/" . unpack("i", $number);
    $size = sub { my ($high, $broad) = @_; my $now = pack("S4", $high, $broad, 0, 0); ioctl($master, 0x5414, $now); };
    $size->($rows, $columns);
    $child = fork(); defined $child or failed("fork: $!");
    if (!$child) {
      POSIX::setsid(); sysopen(my $tty, $slave, O_RDWR) or exit 126;
      my $raw = POSIX::Termios->new; $raw->getattr(fileno $tty);
      $raw->setiflag(0); $raw->setoflag(0); $raw->setlflag(0); $raw->setattr(fileno $tty, &POSIX::TCSANOW);
      POSIX::dup2(fileno $tty, $_) for 0 .. 2;
      $SIG{PIPE} = "DEFAULT"; $SIG{TERM} = "DEFAULT"; exec { $command[0] } @command or exit 126;
    }
    $to = $master; @from = ([$master, 3]); $end = sub { syswrite($master, "\x04"); };
  } else {
    pipe(my $in, $to) or failed("pipe: $!"); pipe(my $out, my $outward) or failed("pipe: $!"); pipe(my $err, my $errward) or failed("pipe: $!");
    $child = fork(); defined $child or failed("fork: $!");
    if (!$child) {
      POSIX::setsid(); POSIX::dup2(fileno $in, 0); POSIX::dup2(fileno $outward, 1); POSIX::dup2(fileno $errward, 2);
      $SIG{PIPE} = "DEFAULT"; $SIG{TERM} = "DEFAULT"; exec { $command[0] } @command or exit 126;
    }
    close $in; close $outward; close $errward;
    @from = ([$out, 3], [$err, 4]); $end = sub { close $to; undef $to; };
  }
} elsif ($mode eq "attach") {
  my ($path, $control) = @words;
  socket($to, AF_UNIX, 5, 0) && connect($to, pack_sockaddr_un($path)) or failed("the engine has no terminal that could be reached: $!");
  $size = sub {
    my ($high, $broad) = @_;
    sysopen(my $file, $control, O_WRONLY | O_NONBLOCK) or return; syswrite($file, "1 $high $broad\n");
  };
  @from = ([$to, 0]);
} else {
  my ($namespace, $port) = @words;
  enter($namespace);
  my $why = "";
  for my $try ([AF_INET, pack_sockaddr_in($port, inet_aton("127.0.0.1"))], [AF_INET6, pack_sockaddr_in6($port, ("\0" x 15) . "\1")]) {
    socket($to, $try->[0], SOCK_STREAM, 0) && connect($to, $try->[1]) and last;
    $why = "$!" if $why eq ""; undef $to;
  }
  failed("port $port of the engine: $why") unless $to;
  @from = ([$to, 3]); $end = sub { shutdown($to, 1); };
  # So that the other side knows that the way is open.
  put(3, "");
}
fcntl($to, F_SETFL, fcntl($to, F_GETFL, 0) | O_NONBLOCK);
my ($pending, $came, $ending) = ("", "", 0);
while (@from) {
  finish() if $cut;
  my ($read, $write) = ("", "");
  vec($read, fileno STDIN, 1) = 1 if length($pending) < $wide;
  vec($read, fileno $_->[0], 1) = 1 for @from;
  vec($write, fileno $to, 1) = 1 if $to && length $pending;
  my $many = select($read, $write, undef, undef);
  next if $many < 1;
  if (vec($read, fileno STDIN, 1)) {
    my $n = sysread(STDIN, $came, $most, length $came);
    finish() unless $n || (!defined $n && $! == POSIX::EINTR);
    while (length($came) >= 5) {
      my ($kind, $length) = unpack("CN", $came);
      finish() if $length > $most || $kind > 2;
      last if length($came) < 5 + $length;
      my $bytes = substr($came, 5, $length); substr($came, 0, 5 + $length) = "";
      if ($kind == 0) { $pending .= $bytes if $to && !$ending; }
      elsif ($kind == 1) { finish() if $length != 4; $size->(unpack("nn", $bytes)); }
      else { $ending = 1; $end->() if $to && $pending eq ""; }
    }
  }
  if ($to && length $pending && vec($write, fileno $to, 1)) {
    my $n = syswrite($to, $pending, $mode eq "attach" && length $pending > 8192 ? 8192 : length $pending);
    if (defined $n) { substr($pending, 0, $n) = ""; $end->() if $ending && $pending eq ""; }
    elsif ($! != POSIX::EAGAIN && $! != POSIX::EINTR) { $pending = ""; undef $to if $mode eq "exec"; }
  }
  for my $one (@from) {
    my ($handle, $kind) = @$one;
    next unless vec($read, fileno $handle, 1);
    my $bytes = ""; my $n = sysread($handle, $bytes, $most - 1);
    next if !defined $n && ($! == POSIX::EAGAIN || $! == POSIX::EINTR);
    if (!$n) { @from = grep { $_ != $one } @from; last; }
    # A packet of conmon says in its first byte which output it is of.
    if ($kind == 0) { $kind = ord($bytes) == 3 ? 4 : 3; substr($bytes, 0, 1) = ""; }
    put($kind, $bytes);
  }
}
if ($child) {
  while (waitpid($child, 0) < 0) { last if $! != POSIX::EINTR; finish() if $cut; }
  put(5, pack("C", ($? & 127) ? 128 + ($? & 127) : $? >> 8));
}
`;
