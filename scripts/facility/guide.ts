import { pageLink, type Facility } from './facility.js';

/** What a person sees once the facility stands: where to look and what to try. */
export async function guide(facility: Facility, bin: string): Promise<string> {
  const links = await Promise.all(
    facility.consoles.map(async (it) => `  ${it.name.padEnd(18)} ${await pageLink(it)}`),
  );
  return `
A facility stands on this machine: two customers, alder (node-1 to node-4) and birch (node-5 to node-8),
the facility's console, and a console in each customer's office. All of it is real: processes, keys,
filters in the kernel, in network namespaces of their own.

Look at (each link works once, within two minutes; \`NAME open\` makes another):
${links.join('\n')}

Try, in another terminal:
  export PATH=${bin}:$PATH
  console-cluster nodes list --watch          # every node, live
  console-cluster nodes status node-1         # asked now: sealed to the node and back
  console-cluster boundaries list             # what every node should have, and whether it has it
  console-cluster boundaries picture          # who may talk to whom
  console-cluster exceptions allow alder node:node-5 --service https --reason "a try" --until 1h
  console-app-alder nodes status node-1       # the tenant's view of the same node
  console-app-alder engines list              # a balancer before two web servers, and a cache, in engines
  at office-alder python3 -c 'import urllib.request as u; print(u.urlopen("http://10.77.0.11").read())'
  at node-1 busybox ping -c 1 10.77.0.12      # from any place: node-1 ... node-8, console, office-alder, office-birch
  at node-1 nft list ruleset                  # what the kernel of node-1 enforces
  kill -9 ${String(facility.node('node-8').process?.pid)}                                # BMonitor of node-8: watch the list

Ctrl-C ends it and leaves nothing behind.
`;
}
