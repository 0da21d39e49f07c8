import { programOf } from '../../bmonitor/filters/nft/compile.js';
import { closedPlan } from '../../bmonitor/filters/nft/plan.js';
import { wholeText, withoutLatch } from '../../bmonitor/ports/firewall-text.js';

/** What a machine enforces that has never enforced anything: DHCP, and what an address needs. Made by the code that makes all others. */
export function closedRules(): string {
  return wholeText(withoutLatch(programOf({ ...closedPlan, dhcp: { servers: [] } })), 1);
}
