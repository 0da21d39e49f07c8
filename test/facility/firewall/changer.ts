import { ProgramMaker } from '../../../bmonitor/filters/nft/compile.js';
import { closedPlan } from '../../../bmonitor/filters/nft/plan.js';
import { logGroup, logPrefix } from '../../../bmonitor/filters/nft/refusals.js';
import { KernelFirewall } from '../../../bmonitor/host/firewall/kernel-firewall.js';
import { numbers, planOf } from './changes.js';
import { valueOf } from './enforced.js';

/** Applies plan after plan until it is killed: what a node's daemon does, only without rest. */
const [namespace = '', allowed = '', refused = '', own = '', seed = '0'] = process.argv.slice(2);
const random = numbers(Number(seed));
const firewall = valueOf(
  await KernelFirewall.open({
    prefix: ['ip', 'netns', 'exec', namespace],
    log: { group: logGroup, prefix: logPrefix },
    wall: () => Date.now(),
  }),
);
const maker = new ProgramMaker();
for (;;) {
  const plan = { ...closedPlan, ...planOf({ allowed, refused, own }, random) };
  valueOf(await firewall.apply(maker.make(plan)));
  process.stdout.write('applied\n');
}
