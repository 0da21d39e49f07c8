import type { PublicKey } from '../../crypto/rsa.js';
import type { NodeBook } from '../../console/nodes/book.js';
import { ok, refuse } from '../../protocol/result.js';
import type { Customers } from '../customers.js';
import type { LeaseBook } from '../leases/book.js';
import type { GatewayPolicy } from './hub.js';

/** The landlord's own console is a party without a customer's name. */
const landlord = 'the landlord';

/** Nodes of this facility, consoles of its customers; a customer reaches the nodes that are leased to it, the landlord all. */
export function facilityPolicy(parts: {
  own: PublicKey;
  nodes: NodeBook;
  customers: Customers;
  leases: LeaseBook;
}): GatewayPolicy {
  const { own, nodes, customers, leases } = parts;
  return {
    node: (key) =>
      Promise.resolve(
        nodes.list().some(({ id }) => id === key.id)
          ? ok(true)
          : refuse('gateway-stranger', `node ${key.id}`),
      ),
    async console(key) {
      if (key.id === own.id) return ok({ party: landlord });
      const owner = await customers.ownerOf(key);
      return owner === undefined
        ? refuse('gateway-stranger', `console ${key.id}`)
        : ok({ party: `customer ${owner}` });
    },
    async mayJoin(party, node) {
      if (party === landlord) return ok(true);
      const name = nodes.list().find(({ id }) => id === node)?.card.name;
      const all = await leases.all();
      if (!all.ok) return all;
      const leased = all.value.some(
        ({ value }) =>
          value.node === name &&
          `customer ${value.customer}` === party &&
          (value.state === 'granted' || value.state === 'ending'),
      );
      return leased ? ok(true) : refuse('gateway-not-yours', node);
    },
  };
}
