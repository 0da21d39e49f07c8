import { randomInt } from 'node:crypto';
import type { Canary, CanaryFate, CanaryOutcome } from '../../ports/firewall.js';
import type { Prefix } from './nft-shell.js';
import { runTool } from './tool.js';

/**
 * The kernel tells who sends a packet through a raw socket that a filter of its own refused it (EPERM): the one proof of enforcement that a
 * node can make by itself. What is refused on the way in needs somebody outside to send it.
 *
 * Node.js has no raw sockets; perl-base is on every Debian machine. The kernel sends TCP and UDP from there as they are, so their checksums
 * stay empty: should one get out, nobody takes it.
 */
const script = `
use strict; use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton pack_sockaddr_in pack_sockaddr_in6);
use Errno qw(EPERM EACCES);
my $from = shift;
while (<STDIN>) {
  my ($family, $protocol, $address, $port) = split;
  my $six = $family == 6;
  my $bytes = $protocol == 6 ? pack('nnNNCCnnn', $from, $port, 1, 0, 0x50, 2, 1024, 0, 0)
    : $protocol == 17 ? pack('nnnn', $from, $port, 8, 0)
    : $six ? pack('CCnnn', 128, 0, 0, $from, 1)
    : pack('CCnnn', 8, 0, 0xf7fe - $from + ($from > 0xf7fe ? 0xffff : 0), $from, 1);
  my $at = inet_pton($six ? AF_INET6 : AF_INET, $address);
  my $to = $six ? pack_sockaddr_in6(0, $at) : pack_sockaddr_in(0, $at);
  my $sent = socket(my $out, $six ? AF_INET6 : AF_INET, SOCK_RAW, $protocol);
  $sent &&= send($out, $bytes, 0, $to);
  print $sent ? "passed" : $!{EPERM} || $!{EACCES} ? "refused" : "unsent", "\\n";
}
`;

const fates: ReadonlySet<string> = new Set<CanaryFate>(['refused', 'passed', 'unsent']);
const isFate = (word: string): word is CanaryFate => fates.has(word);

/** In the namespace that `prefix` leads into. */
export async function sendCanaries(
  canaries: readonly Canary[],
  prefix: Prefix = [],
): Promise<readonly CanaryOutcome[]> {
  const lines = canaries.map(
    ({ family, protocol, address, port }) => `${family} ${protocol} ${address} ${port}\n`,
  );
  const from = String(randomInt(40_000, 60_000));
  const ran = await runTool(prefix, ['perl', '-e', script, from], lines.join(''));
  const words = ran.ok ? ran.value.stdout.split('\n') : [];
  return canaries.map((canary, index) => {
    const word = words[index] ?? '';
    return { ...canary, fate: isFate(word) ? word : 'unsent' };
  });
}
