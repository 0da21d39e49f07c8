import { until, type Place } from '../../../test/facility/bed/index.js';
import { expect, type Check } from '../check.js';
import type { Facility } from '../facility.js';
import { runsSoftware, software } from '../software.js';

const { balancer, cache } = software.ports;

/** Says a few words to a port from a place, and gives what came back until the other side hung up or fell silent. */
const talk = `
import socket, sys
to = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
to.settimeout(3)
to.sendall(sys.argv[3].encode())
heard = b''
while not heard.endswith(sys.argv[4].encode()):
    piece = to.recv(4096)
    if not piece: break
    heard += piece
sys.stdout.write(heard.decode())
`;

async function said(
  from: Place,
  facility: Facility,
  port: number,
  words: string,
  end = '(until it hangs up)',
): Promise<string> {
  const { ipv4 } = facility.node(software.node).place;
  return from.must(['python3', '-c', talk, ipv4, String(port), words, end]);
}

async function balanced(facility: Facility): Promise<string> {
  const heard = new Set<string>();
  for (let asked = 0; asked < 6; asked += 1) {
    const answer = await said(
      facility.bed.office('alder'),
      facility,
      balancer,
      'GET / HTTP/1.0\r\n\r\n',
    ).catch(() => '');
    heard.add(/this is (\S+)/.exec(answer)?.[1] ?? 'no answer');
  }
  return [...heard].sort().join(' and ');
}

export const softwareChecks: readonly Check[] = !runsSoftware()
  ? []
  : [
      {
        name: 'balanced answers come from both web servers of alder to its office through the filters, and to nobody else',
        async run(facility) {
          let heard = '';
          await until(async () => (heard = await balanced(facility)) === 'web-one and web-two', {
            what: () => `answers of both, but of ${heard}`,
          });
          const { ipv4 } = facility.node(software.node).place;
          const stranger = await facility.bed.office('birch').tryTcp({ to: ipv4, port: balancer });
          expect(stranger === 'silent', () => `birch's office: ${stranger}`);
        },
      },
      {
        name: 'the cache of alder keeps a value, also over its restart',
        async run(facility) {
          const office = facility.bed.office('alder');
          const stored = await said(office, facility, cache, 'SET greeting well-kept\r\n', '\r\n');
          expect(stored === '+OK\r\n', () => stored);
          await facility.app('alder').cli('engines', 'restart', 'cache', software.node);
          let kept = '';
          const got = async (): Promise<string> =>
            said(office, facility, cache, 'GET greeting\r\n', 'kept\r\n').catch(String);
          await until(async () => (kept = await got()) === '$9\r\nwell-kept\r\n', { what: () => kept });
        },
      },
    ];
