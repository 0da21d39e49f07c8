import type { NodeBook } from '../../console/nodes/book.js';
import { ok, refuse } from '../../protocol/result.js';
import { keysOf, type Customers } from '../../console/granting/customers.js';
import type { LeaseBook } from '../../console/granting/book.js';
import type { GatewayPolicy } from './hub.js';

/** The landlord's own console is a party without a customer's name. */
const landlord = 'the landlord';

/** Nodes of this facility, consoles of its customers; a customer and its guests reach the nodes that are leased to it, the
 * landlord all. */
export function facilityPolicy(parts: {
  /** Is it the key of this console, or the one that is to take its place? */
  isOwn: (id: string) => boolean;
  nodes: NodeBook;
  customers: Customers;
  leases: LeaseBook;
}): GatewayPolicy {
  const { isOwn, nodes, customers, leases } = parts;
  return {
    node: (key) =>
      Promise.resolve(
        nodes.nameOf(key.id) !== undefined ? ok(true) : refuse('gateway-stranger', `node ${key.id}`),
      ),
    async console(key) {
      if (isOwn(key.id)) return ok({ party: landlord });
      const owner = await customers.ownerOf(key);
      if (owner !== undefined) return ok({ party: `customer ${owner}` });
      const hosts = await customers.hostsOf([key.id]);
      return hosts.length > 0
        ? ok({ party: `guest ${key.id}` })
        : refuse('gateway-stranger', `console ${key.id}`);
    },
    async mayJoin(party, node) {
      if (party === landlord) return ok(true);
      const name = nodes.nameOf(node);
      const all = await leases.all();
      if (!all.ok) return all;
      const welcome = await welcomeWith(party);
      const leased = all.value.some(
        ({ value }) =>
          value.node === name &&
          welcome.includes(value.customer) &&
          ['granted', 'ending', 'replacing'].includes(value.state),
      );
      return leased ? ok(true) : refuse('gateway-not-yours', node);
    },
  };

  /** The customers whose nodes a party may reach: its own, and those of whom it leases further. */
  async function welcomeWith(party: string): Promise<readonly string[]> {
    if (party.startsWith('guest ')) return customers.hostsOf([party.slice('guest '.length)]);
    const customer = party.slice('customer '.length);
    const known = await customers.get(customer);
    return known.ok
      ? [customer, ...(await customers.hostsOf(keysOf(known.value.value).map(({ id }) => id)))]
      : [customer];
  }
}
