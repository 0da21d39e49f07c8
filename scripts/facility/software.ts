import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageOf } from '../images/make.js';
import { usualNetwork as engineNetwork } from '../../bmonitor/node/engine-ways.js';
import type { Facility } from './facility.js';

/** Where alder's software runs, and under which port of that machine it is reached. */
export const software = {
  node: 'node-1',
  ports: { balancer: 80, one: 8081, two: 8082, cache: 6379 },
} as const;

const mib = { web: 32, balancer: 64, cache: 64 };

/** Without root, control groups and images belong to nobody who could run an engine. */
export function runsSoftware(): boolean {
  return process.env['BMONITOR_INSIDE'] === undefined;
}

/** Two web servers, a load balancer before them, and a cache: real ones, from images that are made of Debian's packages. */
export async function deploySoftware(facility: Facility): Promise<void> {
  const app = facility.app('alder');
  const { ipv4 } = facility.node(software.node).place;
  const { balancer, one, two, cache } = software.ports;
  const tcp = (port: number): readonly object[] => [{ port, protocol: 'tcp' }];
  const web = { image: imageOf('web'), memory_mb: mib.web };
  const engines = [
    { name: 'web-one', ...web, ports: tcp(one) },
    { name: 'web-two', ...web, ports: tcp(two) },
    {
      name: 'balancer',
      image: imageOf('balancer'),
      memory_mb: mib.balancer,
      ports: tcp(balancer),
      env: { WEB_ONE: `${ipv4}:${one}`, WEB_TWO: `${ipv4}:${two}` },
    },
    { name: 'cache', image: imageOf('cache'), memory_mb: mib.cache, ports: tcp(cache) },
  ];
  // Also between two engines of one node nothing passes that no filter names.
  const reason = 'engines of one node among themselves';
  await facility.cluster.cli('exceptions', 'allow', engineNetwork, 'alder', '--both', '--reason', reason);
  for (const engine of engines) {
    const file = join(facility.bed.dir, `${engine.name}.json`);
    await writeFile(file, JSON.stringify(engine, null, 2));
    await app.cli('engines', 'deploy', file, software.node, '--well', '1');
  }
}
