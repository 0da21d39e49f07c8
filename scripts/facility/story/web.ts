import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { smallSystem } from '../../../test/facility/engines/rig.js';
import type { Place } from '../../../test/facility/bed/index.js';
import { customers, type Customer, type Facility } from '../facility.js';

/** Where the customers' engines answer. */
export const web_port = 8080;

/** What each customer's engine tells, and what nobody who comes after it may find on a disk. */
export const secretOf = (customer: Customer): string => `the words of ${customer}, which are nobody else's`;

/** A small web server of each customer's, described in a file beside its image, as a developer would have it. */
export async function describeWeb({ bed }: Facility): Promise<Readonly<Record<Customer, string>>> {
  const system = smallSystem();
  const image = join(bed.dir, 'web.tar');
  // One image for all, packed once: it holds nothing of a customer's.
  await bed.console.must(['tar', '-C', system, '-cf', image, '.']);
  rmSync(system, { recursive: true, force: true });
  const files = customers.map(async (customer): Promise<[Customer, string]> => {
    const file = join(bed.dir, `${customer}-web.json`);
    const serve = `echo "$WORDS" > /srv/index.html; exec httpd -f -p ${web_port} -h /srv`;
    const description = {
      name: 'web',
      image,
      command: ['sh', '-c', serve],
      env: { WORDS: secretOf(customer) },
      memory_mb: 32,
      ports: [{ port: web_port, protocol: 'tcp' }],
      grace_s: 1,
    };
    await writeFile(file, JSON.stringify(description));
    return [customer, file];
  });
  return Object.fromEntries(await Promise.all(files)) as Record<Customer, string>;
}

const fetching =
  'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=3).read().decode(), end="")';

/** What a web server there answers; empty when nobody does. */
export async function fetchFrom(from: Place, to: Place): Promise<string> {
  const { stdout } = await from.run(['python3', '-c', fetching, `http://${to.ipv4}:${web_port}/`]);
  return stdout.trim();
}
