import { distPath } from '../../test/facility/bed/index.js';
import { customers, key_bits, nodesOf, type Facility, type NodeHandle } from './facility.js';

/** Where machines wait to be adopted, and where remote consoles reach the nodes. */
export const gateway_port = 7443;
const node_port = 7443;

/** Every machine becomes a node of the facility, as its staff would do it: the code of each side is typed at the other. */
export async function adoptNodes(facility: Facility): Promise<void> {
  await Promise.all(facility.nodes.map(async (node) => adopt(node, facility)));
}

async function adopt(node: NodeHandle, { cluster, apps, nodes }: Facility): Promise<void> {
  const { place, dir, name } = node;
  const customer = customers.find((one) => nodesOf[one].includes(name));
  const offices = customer === undefined ? [] : [apps[customer].place.ipv4];
  const network = ['--interface', place.nic, '--address', place.ipv4, place.ipv6];
  const reach = ['--listen', `${place.ipv4}:${node_port}`, '--console', cluster.place.ipv4, ...offices];
  const bmonitor = [process.execPath, distPath('bmonitor/cli/index.js'), 'pair', '--dir', dir];
  const who = ['--name', name, '--key-bits', key_bits, '--keys', 'file', '--file-bytes', String(2 ** 30)];
  const at = `wss://${cluster.place.ipv4}:${gateway_port}`;
  const machine = place.spawn([...bmonitor, ...who, '--gateway', at, ...reach, ...network]);
  await machine.says(/waiting at /);
  const position = String(nodes.indexOf(node) + 1);
  const where = ['--room', 'hall', '--rack', '1', '--position', position];
  const desk = cluster.place.spawn(cluster.command('adoption', 'accept', name, ...where));
  const [, ofConsole = ''] = await desk.says(/type this at the machine: +(\d{4} \d{4})/);
  const [, ofMachine = ''] = await machine.says(/code of this machine: +(\d{4} \d{4})/);
  desk.write(`${ofMachine}\n`);
  machine.write(`${ofConsole}\n`);
  for (const ended of [await machine.ended, await desk.ended])
    if (ended.code !== 0) throw new Error(`${name} was not adopted: ${machine.log}${desk.log}`);
}
