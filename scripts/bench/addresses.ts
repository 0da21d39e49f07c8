import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { Bed, distPath, until, type Place } from '../../test/facility/bed/index.js';
import { addressesOf } from '../../test/facility/addresses/client-under-test.js';
import { startDnsmasq } from '../../test/facility/addresses/dnsmasq.js';
import { ServerUnderTest } from '../../test/facility/addresses/server-under-test.js';
import { simulatedMac, Storm } from '../../test/facility/addresses/storm.js';
import type { BenchSuite, Measurement } from './suite.js';

/** The shortest script that makes udhcpc do what our client does. */
const script =
  '#!/bin/sh\n[ "$1" = bound ] && ip address replace "$ip/$mask" dev "$interface" && ip route replace default via "$router"\nexit 0\n';

export const suite: BenchSuite = {
  name: 'addresses',
  about:
    'From link-up to the address on the interface, against udhcpc with the same dnsmasq; and addresses handed out per second.',
  run: async ({ quick }) => [
    ...(await linkUp(quick ? 2 : 7)),
    ...(await handOut(quick ? 300 : 1000, quick ? 1 : 3)),
  ],
};

/**
 * Ours runs and waits for a cable, as it does on a node; its clock starts when the cable is put in. udhcpc does not hear of cables, and is started by
 * ifupdown when there is one: its clock starts when it says that it has started, so that the start of a process is not held against it.
 */
async function linkUp(samples: number): Promise<readonly Measurement[]> {
  const taken: Record<'ours' | 'probing' | 'plain', number[]> = { ours: [], probing: [], plain: [] };
  for (let sample = 0; sample < samples; sample++) {
    for (const which of ['probing', 'plain', 'ours'] as const) taken[which].push(await once(which));
  }
  return [
    { name: 'link-up to applied: udhcpc that probes as long (-a300)', unit: 'ms', values: taken.probing },
    { name: 'link-up to applied: udhcpc that does not probe', unit: 'ms', values: taken.plain },
    {
      name: 'link-up to applied: ours, probing',
      unit: 'ms',
      values: taken.ours,
      baseline: 'link-up to applied: udhcpc that probes as long (-a300)',
    },
  ];
}

async function once(which: 'ours' | 'probing' | 'plain'): Promise<number> {
  const bed = await Bed.create({ nodes: ['node'], addressed: false });
  try {
    const node = bed.place('node');
    await startDnsmasq(bed.console, {
      first: '10.77.0.100',
      last: '10.77.0.200',
      folder: bed.dir,
      more: ['--dhcp-option=3,10.77.0.1'],
    });
    await node.must(['ip', 'link', 'set', node.nic, 'up']);
    const started = which === 'ours' ? await startOurs(node) : await startUdhcpc(node, which === 'probing');
    await until(async () => (await addressesOf(node)).length > 0, { bound_ms: 60_000, step_ms: 1 });
    return performance.now() - started;
  } finally {
    await bed.remove();
  }
}

async function startOurs(node: Place): Promise<number> {
  await node.link.cut();
  const program = distPath('test/facility/addresses/client-process.js');
  const client = node.spawn([process.execPath, program, node.nic, join(await node.dir(), 'address')]);
  await client.says(/"state":"selecting"/);
  const started = performance.now();
  await node.link.restore();
  return started;
}

async function startUdhcpc(node: Place, probes: boolean): Promise<number> {
  const file = join(await node.dir(), 'script');
  await writeFile(file, script, { mode: 0o755 });
  const client = node.spawn(['udhcpc', '-i', node.nic, '-s', file, '-f', ...(probes ? ['-a300'] : [])]);
  await client.says(/started/);
  return performance.now();
}

async function handOut(count: number, samples: number): Promise<readonly Measurement[]> {
  const rates: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const bed = await Bed.create({ nodes: ['node'], addressed: false });
    try {
      const server = await ServerUnderTest.start(bed.console);
      await server.pool('10.77.4.1', '10.77.9.254');
      await server.adopt(
        ...Array.from({ length: count }, (_, number) => ({
          mac: simulatedMac(number),
          node: `node-${number}`,
        })),
      );
      const node = bed.place('node');
      await node.must(['ip', 'link', 'set', node.nic, 'up']);
      const started = performance.now();
      await new Storm(node, count).run();
      rates.push((count * 1000) / (performance.now() - started));
    } finally {
      await bed.remove();
    }
  }
  return [
    { name: `addresses handed out, probed and synced, ${count} at once`, unit: 'per_s', values: rates },
  ];
}
