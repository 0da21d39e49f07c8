/**
 * Opens and holds sockets inside the network namespaces of engines, for all of them: Node.js cannot enter a namespace, and a process for each probe would cost
 * more than the probe. What is connected or listens there is judged by the filters like everything else of that engine. It ends with BMonitor.
 *
 * Both ways in records: kind, id, length of what follows. In:
 *
 *   1 exchange   pid, when it was born, addresses with commas, port, milliseconds, most bytes, until (open, line, end), shut; NUL between them, then what is said
 *   2 listen     pid, born, port, most bytes, milliseconds
 *   3 unlisten   nothing
 *   4 answer     what is said to who came; then it is closed
 *
 * Out: 11 what was answered, after one byte: 0 it is all, 1 its time was over; 12 why there was nobody: a word, a space, the reason;
 * 13 it listens, or why not; 14 somebody came: the id of the listener, its address and NUL, then what it said.
 */
export const innerScript = String.raw`
use strict; use warnings; use Fcntl; use Socket; use POSIX ();
my $arm = ($ENV{BM_MACHINE} || "") eq "aarch64";
my $rate = $ENV{BM_RATE} || 200; my $most = 262144; my $open_max = $ENV{BM_SOCKETS} || 256; my $each_max = 8;
$SIG{PIPE} = "IGNORE";
syscall($arm ? 167 : 157, 1, 9, 0, 0, 0);
exit 0 if getppid() == 1;
open(my $home, "<", "/proc/self/ns/net") or exit 1;
my (%ex, %listeners, %guests, $out, $in); $out = ""; $in = "";
my $next = 1;
# Not by the wall clock, which may be set; into one place, which the kernel fills.
my $clock = pack("qq", 0, 0);
sub now { syscall($arm ? 113 : 228, 1, $clock); my ($s, $ns) = unpack("qq", $clock); return $s * 1000 + $ns / 1e6; }
sub put { my ($kind, $id, $bytes) = @_; $out .= pack("CNN", $kind, $id, length $bytes) . $bytes; }
sub soft { my ($socket) = @_; fcntl($socket, F_SETFL, fcntl($socket, F_GETFL, 0) | O_NONBLOCK); }
# The namespace is opened before it is made sure whose it is: a number of a process may come again.
sub inside {
  my ($pid, $born, $work) = @_;
  open(my $ns, "<", "/proc/$pid/ns/net") or return "gone it has ended";
  open(my $file, "<", "/proc/$pid/stat") or return "gone it has ended";
  my $line = <$file>; my @fields = split / /, substr($line, rindex($line, ")") + 2);
  return "gone it has ended" if $fields[19] ne $born;
  my $setns = $arm ? 268 : 308;
  syscall($setns, fileno($ns), 0x40000000) == 0 or return "gone $!";
  my $said = $work->();
  syscall($setns, fileno($home), 0x40000000) == 0 or exit 1;
  return $said;
}
sub place {
  my ($address, $port) = @_;
  return (AF_INET6, pack_sockaddr_in6($port, ("\0" x 15) . "\1")) if $address eq "::1";
  my $packed = inet_aton($address); return (AF_INET, pack_sockaddr_in($port, $packed));
}
sub failed { my ($id, $why) = @_; delete $ex{$id}; put(12, $id, $why); }
sub try_next {
  my ($id) = @_; my $e = $ex{$id};
  my $address = shift @{$e->{to}};
  return failed($id, $e->{why} || "refused nobody listens") unless defined $address;
  my $why = inside($e->{pid}, $e->{born}, sub {
    my ($family, $at) = place($address, $e->{port});
    socket(my $s, $family, SOCK_STREAM, 0) or return "refused $!";
    soft($s); $e->{socket} = $s;
    return "" if connect($s, $at) || $! == POSIX::EINPROGRESS;
    return "refused $!";
  });
  return if $why eq "";
  return failed($id, $why) if $why =~ /^gone/;
  $e->{why} = $why unless defined $e->{why}; try_next($id);
}
sub done { my ($id, $late) = @_; my $e = delete $ex{$id}; put(11, $id, pack("C", $late) . $e->{got}); }
sub order {
  my ($kind, $id, $bytes) = @_;
  if ($kind == 1) {
    my ($pid, $born, $to, $port, $ms, $max, $until, $shut, $say) = split /\0/, $bytes, 9;
    return put(12, $id, "busy too many at once") if keys(%ex) >= $open_max;
    $ex{$id} = { pid => $pid, born => $born, to => [split /,/, $to], port => $port, by => now() + $ms, max => $max, until => $until,
                 shut => $shut, say => $say, got => "", state => "connecting" };
    try_next($id);
  } elsif ($kind == 2) {
    my ($pid, $born, $port, $max, $ms) = split /\0/, $bytes;
    my $s;
    my $why = inside($pid, $born, sub {
      socket($s, AF_INET, SOCK_STREAM, 0) or return "$!";
      setsockopt($s, SOL_SOCKET, SO_REUSEADDR, pack("i", 1)); soft($s);
      bind($s, pack_sockaddr_in($port, INADDR_ANY)) && listen($s, 64) or return "$!";
      return "";
    });
    $listeners{$id} = { socket => $s, max => $max, ms => $ms, may => $rate, at => now() } if $why eq "";
    put(13, $id, $why);
  } elsif ($kind == 3) {
    delete $listeners{$id};
    for my $g (keys %guests) { delete $guests{$g} if $guests{$g}{of} == $id; }
  } elsif ($kind == 4) {
    my $g = $guests{$id} or return;
    $g->{say} = $bytes; $g->{state} = "answering"; $g->{by} = now() + $g->{ms};
  } else { exit 1; }
}
sub came {
  my ($id) = @_; my $l = $listeners{$id};
  my $from = accept(my $s, $l->{socket}) or return; $l->{may} -= 1;
  my ($port, $address) = unpack_sockaddr_in($from); my $text = inet_ntoa($address);
  # Who holds many open keeps nobody else out.
  return if grep({ $_->{of} == $id && $_->{from} eq $text } values %guests) >= $each_max;
  soft($s);
  my $g = $next; $next = $next % 0xfffffff + 1;
  $guests{$g} = { of => $id, socket => $s, from => $text, got => "", max => $l->{max}, ms => $l->{ms}, by => now() + $l->{ms}, state => "reading" };
}
for (;;) {
  my ($read, $write, $soonest) = ("", "", undef);
  vec($read, fileno STDIN, 1) = 1 if length $out < 4 * $most;
  vec($write, fileno STDOUT, 1) = 1 if length $out;
  for my $e (values %ex) {
    $soonest = $e->{by} if !defined $soonest || $e->{by} < $soonest;
    if ($e->{state} eq "connecting" || length $e->{say}) { vec($write, fileno $e->{socket}, 1) = 1; }
    vec($read, fileno $e->{socket}, 1) = 1 if $e->{state} ne "connecting";
  }
  my $full = keys(%guests) >= $open_max || length $out >= 4 * $most;
  # A flood of connections waits in the kernel, and costs as much as the rate allows.
  for my $l (values %listeners) {
    my $now = now(); $l->{may} += ($now - $l->{at}) * $rate / 1000; $l->{may} = $rate if $l->{may} > $rate; $l->{at} = $now;
    if ($l->{may} >= 1) { vec($read, fileno $l->{socket}, 1) = 1 unless $full; }
    elsif (!defined $soonest || $soonest > $now + 10) { $soonest = $now + 10; }
  }
  for my $g (values %guests) {
    $soonest = $g->{by} if !defined $soonest || $g->{by} < $soonest;
    vec($read, fileno $g->{socket}, 1) = 1 if $g->{state} eq "reading";
    vec($write, fileno $g->{socket}, 1) = 1 if $g->{state} eq "answering";
  }
  my $wait = defined $soonest ? ($soonest - now()) / 1000 : undef;
  $wait = 0 if defined $wait && $wait < 0;
  my $many = select($read, $write, undef, $wait);
  if ($many < 0) { next if $! == POSIX::EINTR; exit 1; }
  if (vec($write, fileno STDOUT, 1)) {
    my $n = syswrite(STDOUT, $out, length $out > 65536 ? 65536 : length $out);
    if (defined $n) { substr($out, 0, $n) = ""; } elsif ($! != POSIX::EAGAIN && $! != POSIX::EINTR) { exit 0; }
  }
  for my $id (keys %ex) {
    my $e = $ex{$id} or next; my $fd = fileno $e->{socket};
    if ($e->{state} eq "connecting" && vec($write, $fd, 1)) {
      my $error = unpack("i", getsockopt($e->{socket}, SOL_SOCKET, SO_ERROR));
      if ($error) { $e->{why} = "refused " . POSIX::strerror($error) unless defined $e->{why}; try_next($id); next; }
      $e->{state} = "open";
      if ($e->{until} eq "open") { done($id, 0); next; }
    }
    if ($e->{state} eq "open" && length $e->{say}) {
      my $n = syswrite($e->{socket}, $e->{say});
      if (defined $n) { substr($e->{say}, 0, $n) = ""; shutdown($e->{socket}, 1) if $e->{say} eq "" && $e->{shut}; }
      elsif ($! != POSIX::EAGAIN && $! != POSIX::EINTR) { $e->{say} = ""; }
    }
    if ($e->{state} eq "open" && vec($read, $fd, 1)) {
      my $n = sysread($e->{socket}, $e->{got}, $e->{max} - length $e->{got}, length $e->{got});
      if (!defined $n && ($! == POSIX::EAGAIN || $! == POSIX::EINTR)) { next; }
      if (!$n || length $e->{got} >= $e->{max} || ($e->{until} eq "line" && index($e->{got}, "\n") >= 0)) { done($id, 0); next; }
    }
    if (now() >= $e->{by}) {
      if ($e->{state} eq "connecting") { failed($id, "late it does not take connections"); } else { done($id, 1); }
    }
  }
  for my $id (keys %listeners) { came($id) if !$full && vec($read, fileno $listeners{$id}{socket}, 1); }
  for my $id (keys %guests) {
    my $g = $guests{$id}; my $fd = fileno $g->{socket};
    if ($g->{state} eq "reading" && vec($read, $fd, 1)) {
      my $n = sysread($g->{socket}, $g->{got}, $g->{max} + 1 - length $g->{got}, length $g->{got});
      if (!defined $n && ($! == POSIX::EAGAIN || $! == POSIX::EINTR)) { }
      elsif (!defined $n || length $g->{got} > $g->{max}) { delete $guests{$id}; next; }
      elsif (!$n) { $g->{state} = "waiting"; $g->{by} = now() + $g->{ms}; put(14, $id, pack("N", $g->{of}) . "$g->{from}\0$g->{got}"); $g->{got} = ""; }
    } elsif ($g->{state} eq "answering" && vec($write, $fd, 1)) {
      my $n = syswrite($g->{socket}, $g->{say});
      if (defined $n) { substr($g->{say}, 0, $n) = ""; if ($g->{say} eq "") { delete $guests{$id}; next; } }
      elsif ($! != POSIX::EAGAIN && $! != POSIX::EINTR) { delete $guests{$id}; next; }
    }
    delete $guests{$id} if now() >= $g->{by};
  }
  # Orders last: what they begin is looked at in the next round.
  if (vec($read, fileno STDIN, 1)) {
    my $n = sysread(STDIN, $in, 65536, length $in);
    exit 0 unless $n || (!defined $n && $! == POSIX::EINTR);
    while (length $in >= 9) {
      my ($kind, $id, $length) = unpack("CNN", $in);
      exit 1 if $length > $most;
      last if length $in < 9 + $length;
      my $bytes = substr($in, 9, $length); substr($in, 0, 9 + $length) = "";
      order($kind, $id, $bytes);
    }
  }
}
`;
