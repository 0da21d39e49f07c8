import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Node.js has no datagram sockets of the local kind, which systemd listens on; perl-base is on every Debian machine. Each line on its standard
 * input becomes one datagram. It lives as long as we do, so that systemd can tell from its process that it belongs to the unit.
 */
const helper = String.raw`
use strict; use warnings; use Socket;
my $path = $ARGV[0]; $path =~ s/^@/\0/;
socket(my $out, AF_UNIX, SOCK_DGRAM, 0) or die "no socket: $!\n";
my $to = pack('S a*', AF_UNIX, $path);
while (my $line = <STDIN>) { chomp $line; $line =~ s/\t/\n/g; send($out, $line, 0, $to); }
`;

/**
 * Who started this process and looks after it (systemd's notify protocol). Told when the node is ready, when it stops, and, as often as it asks,
 * that our own loop still turns: who does not say so in time is killed and started anew, and the filters stay meanwhile.
 */
export class Supervisor {
  readonly #child: ChildProcess | undefined;
  #feeding: NodeJS.Timeout | undefined;
  readonly #every_ms: number | undefined;

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const path = environment['NOTIFY_SOCKET'];
    const watchdog_us = Number(environment['WATCHDOG_USEC'] ?? 0);
    this.#every_ms = watchdog_us > 0 ? watchdog_us / 3000 : undefined;
    // Our tools, and one day engines, have nothing to say there.
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
    if (path === undefined || !/^[@/]/.test(path)) return;
    this.#child = spawn('perl', ['-e', helper, path], { stdio: ['pipe', 'ignore', 'ignore'] });
    this.#child.on('error', () => {});
    this.#child.stdin?.on('error', () => {});
    this.#child.unref();
  }

  ready(status: string): void {
    this.#say('READY=1', `STATUS=${status}`);
    if (this.#every_ms === undefined || !this.#child) return;
    this.#feeding = setInterval(() => this.#say('WATCHDOG=1'), this.#every_ms);
    this.#feeding.unref();
  }

  /** Why there is nothing to be ready for: `systemctl status` shows it. */
  failing(why: string): void {
    clearInterval(this.#feeding);
    this.#say(`STATUS=${why}`);
  }

  stopping(): void {
    clearInterval(this.#feeding);
    this.#say('STOPPING=1');
  }

  #say(...words: readonly string[]): void {
    this.#child?.stdin?.write(`${words.map((word) => word.replaceAll(/[\t\n]/g, ' ')).join('\t')}\n`);
  }
}
